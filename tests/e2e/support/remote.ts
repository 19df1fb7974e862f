import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { startApp } from '../../../src/app.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { createDatabase } from '../../support/postgres.ts';
import { tempFolder } from '../../support/temp.ts';
import { Rest } from './rest.ts';

/** Limits that no test meets. */
const UNLIMITED = 'limits: { perSender: 100000, perChannel: 100000, perWorkspace: 100000 }';

const config = (limits: string) => `
${limits}
agents:
  counter: { roles: [counter] }
roles:
  counter: ['job:work', 'runbook:count']
runbooks:
  count:
    summary: Count on another machine
    risk: read
    permission: runbook:count
    timeout: 5m
    tries: { max: 3, backoff: 1s, cap: 1s }
    bounds: { logLines: 1000, outputBytes: 1000000 }
    args: { required: [to], properties: { to: { type: integer, minimum: 1 }, fail: { enum: [once, always] } } }
    capability: counting
    executor: { kind: remote }
  noop:
    summary: Nothing, here
    risk: read
    permission: runbook:noop
    timeout: 10s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 1000 }
    executor: { kind: shell, argv: ['true'] }
`;

async function onPostgres(): Promise<Record<string, string>> {
  const database = await createDatabase();
  onTestFinished(() => database.drop());
  return { SIGNALBOX_DB: database.url };
}

type Servers = readonly [title: string, database: () => Promise<Record<string, string>>, servers: number];

/** One server on SQLite; on PostgreSQL two, and what is asked for at one of them is worked on at the other. */
export const SERVERS: readonly [Servers, Servers] = [
  ['one server, SQLite', async () => ({}), 1],
  ['two servers, PostgreSQL', onPostgres, 2],
];

/** A command center, its administrator, and a key for a remote worker. */
export async function remoteWorld([, database, servers]: Servers, limits = UNLIMITED) {
  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), config(limits));
  const settings = await loadConfig({ env: { PORT: '0', ...(await database()) }, cwd: folder });
  let ahead = 0;
  const clock = { now: () => new Date(Date.now() + ahead) };
  const apps: Awaited<ReturnType<typeof startApp>>[] = [];
  for (let n = 0; n < servers; n += 1) {
    const app = await startApp(settings, { log: pino({ level: 'silent' }), clock });
    onTestFinished(() => app.stop());
    apps.push(app);
  }
  const [first, last] = [apps[0], apps.at(-1)];
  if (!first || !last) throw new Error('nothing was started');
  const admin = new Rest(first.url, first.adminToken ?? '');
  const keyOf = async (who: string) =>
    String((await admin.command(`key create ${who}-${apps.length} --for ${who}`)).body.reply?.data['key']);
  return {
    admin,
    /** Where the worker works. */
    url: last.url,
    token: await keyOf('counter'),
    /** Moves the servers' clock on by milliseconds, so that leases run out without waiting for them. */
    pass: (milliseconds: number) => void (ahead += milliseconds),
  };
}
