import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { createDatabase } from './postgres.ts';
import { startProxy } from './proxy.ts';
import { run, startServer, startWorker } from './spawn.ts';
import { tempFolder } from './temp.ts';

const SECRET = `whsec_${Buffer.from('an example secret of a test only').toString('base64')}`;

/** What came to the far side under one path. */
class Calls {
  total = 0;
  /** Those that have no answer yet. */
  readonly open = new Set<ServerResponse>();
  /** Of those at the same time, the most there were. */
  most = 0;
  readonly keys = new Set<string>();

  answer(): void {
    for (const response of this.open) response.end('{}');
  }
}

/** Holds every call to a path in `held` until it is told to answer; answers the others at once. */
async function farSide(...held: readonly string[]) {
  const calls = new Map<string, Calls>();
  const at = (path: string): Calls => {
    const known = calls.get(path) ?? new Calls();
    calls.set(path, known);
    return known;
  };
  const server = createServer((request, response) => {
    const { url = '', headers } = request;
    const call = at(url);
    call.total += 1;
    call.open.add(response);
    call.most = Math.max(call.most, call.open.size);
    call.keys.add(String(headers['idempotency-key'] ?? headers['webhook-id']));
    response.on('close', () => call.open.delete(response));
    request.resume();
    if (!held.includes(url)) response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.close().closeAllConnections());
  return { at, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const config = (url: string) => `
limits: { perSender: 1000000, perChannel: 1000000, perWorkspace: 1000000 }
allowedHosts: ['${new URL(url).host}']
runbooks:
  post:
    summary: Calls the far side
    risk: write
    permission: runbook:post
    timeout: 5m
    tries: { max: 5, backoff: 100ms, cap: 1s }
    bounds: { logLines: 10, outputBytes: 1000 }
    args: { required: [name], properties: { name: { type: string } } }
    executor: { kind: http, method: POST, url: '${url}/\${args.name}' }
`;

/**
 * A server and a worker on one PostgreSQL, which goes away while jobs run and a message is on its way, and comes back
 * after `away` milliseconds. What was done meanwhile is written down afterwards, and done once.
 */
export async function checkOutage(away: number): Promise<void> {
  const far = await farSide('/ends', '/runs', '/told');
  const database = await createDatabase();
  const proxy = await startProxy(database.url);
  onTestFinished(async () => {
    await proxy.close();
    await database.drop();
  });
  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), config(far.url));
  const env = {
    SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator',
    SIGNALBOX_NOTIFY_SECRET: SECRET,
    LOG_LEVEL: 'fatal',
  };
  const reached = { folder, env: { ...env, SIGNALBOX_DB: proxy.url } };
  const server = await startServer({ ...reached, args: ['--no-worker'] });
  await startWorker(reached);
  const ask = async (text: string) => {
    const answer = await server.command(text);
    expect(answer.status, await answer.clone().text()).toBe(200);
  };
  const soon = (check: () => unknown, timeout = 30_000) => vi.waitFor(check, { interval: 20, timeout });

  await ask(`job run post --name told-of --notify ${far.url}/told`);
  await soon(() => expect(far.at('/told').open.size).toBe(1));
  for (const name of ['ends', 'runs']) await ask(`job run post --name ${name}`);
  await soon(() => expect(far.at('/ends').open.size + far.at('/runs').open.size).toBe(2));

  proxy.cut();
  const back = new Promise((resolve) => {
    setTimeout(resolve, away);
  });
  // One job ends, and one message arrives, while nobody can write it down; the other job goes on.
  for (const path of ['/ends', '/told']) far.at(path).answer();
  const refused = await server.command('task create one', 'the-key');
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await server.fetch('/readyz')).status).toBe(503);
  await back;
  proxy.mend();

  await soon(async () => expect((await server.command('task create one', 'the-key')).status).toBe(200));
  const stateOf = async (name: string) => {
    const sql = `SELECT state, attempt FROM jobs WHERE args::json ->> 'name' = $1`;
    return (await database.sql<{ state: string; attempt: string }>(sql, [name]))[0];
  };
  await soon(async () => expect(await stateOf('ends')).toEqual({ state: 'succeeded', attempt: '1' }));
  const sent = `SELECT count(*)::int AS n FROM outbox WHERE channel = 'webhook' AND state = 'sent'`;
  await soon(async () => expect(await database.sql(sent)).toEqual([{ n: 1 }]));
  // Where the claim could not be renewed in time it was stopped, and runs again under the same key.
  await soon(async () => {
    far.at('/runs').answer();
    expect(await stateOf('runs')).toMatchObject({ state: 'succeeded' });
  });
  expect([far.at('/ends').total, far.at('/told').total, far.at('/told-of').total]).toEqual([1, 1, 1]);
  expect([far.at('/runs').most, far.at('/runs').keys.size]).toEqual([1, 1]);
  expect(await database.sql(`SELECT count(*)::int AS n FROM tasks`)).toEqual([{ n: 1 }]);
  const verified = await run(['audit', 'verify'], { folder, env: { SIGNALBOX_DB: database.url } });
  expect(verified).toMatchObject({ code: 0 });
}
