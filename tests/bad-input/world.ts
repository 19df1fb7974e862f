import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { expect } from 'vitest';
import { WebSocket } from 'ws';
import { startApp } from '../../src/app.ts';
import { runVerify } from '../../src/cli/verify.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { Clock } from '../../src/domain/clock.ts';
import { readJournal } from '../../src/store/sqlite/read-journal.ts';
import { Client } from '../adapters/websocket/world.ts';

export const TOKEN = 'an-example-token-of-the-administrator';
export const SECRET = 'an-example-signing-secret';

/** Sources of several kinds; `forge` comments as the linked author, `push` names a branch. */
const CONFIG = `
workspace: WORKSPACE
limits: { perSender: PER_SENDER, perChannel: 1000000, perWorkspace: 1000000 }
people:
  ana:
    roles: [operator]
    identities: [github:583231]
sources:
  forge:
    kind: github
    secret: \${env:EXAMPLE_SECRET}
    rules:
      - name: comment
        when: event == "issue_comment"
        command: task.comment
        args: { id: '"TSK-1"', body: payload.comment.body }
        as: payload.comment.user.id
      - name: push
        when: event == "push"
        command: task.create
        args: { title: payload.branch }
  hooks:
    kind: standard
    secret: \${env:EXAMPLE_SECRET}
    rules:
      - { name: alert, when: has(payload.alert), command: task.create, args: { title: payload.alert } }
`;

type Init = Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> };

export interface WorldOptions {
  /** Where the database is, when two worlds share one. */
  readonly folder?: string;
  readonly workspace?: string;
  readonly clock?: Clock;
  /** Messages a minute. */
  readonly perSender?: number;
}

/** The real program, as `npm start` runs it, on a temporary folder and any free port. */
export async function realApp({ folder, workspace = 'main', clock, perSender = 1e6 }: WorldOptions = {}) {
  const own = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
  const yaml = CONFIG.replace('WORKSPACE', workspace).replace('PER_SENDER', String(perSender));
  writeFileSync(join(own, 'signalbox.yaml'), yaml);
  const database = join(folder ?? own, 'signalbox.db');
  const env = {
    PORT: '0',
    SIGNALBOX_DB: database,
    SIGNALBOX_ADMIN_TOKEN: TOKEN,
    EXAMPLE_SECRET: SECRET,
  };
  const app = await startApp(await loadConfig({ env, cwd: own }), {
    log: pino({ level: 'silent' }),
    ...(clock && { clock }),
  });
  const call = (path: string, { headers, ...init }: Init = {}) =>
    fetch(new URL(path, app.url), { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...headers } });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    call(path, {
      method: 'POST',
      body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
  const command = async (text: string) => {
    const answer = await post('/v1/commands', { text });
    expect(answer.status, text).toBe(200);
    return (await answer.json()) as { reply: { text: string; data: Record<string, unknown> } };
  };
  const open = async (): Promise<Client> => {
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/v1/ws`, ['signalbox.v1'], {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const client = new Client(socket);
    await once(socket, 'open');
    return client;
  };
  const titles = async () => {
    const page = (await (await call('/v1/tasks?limit=200')).json()) as { items: { title: string }[] };
    return page.items.map((task) => task.title).toSorted();
  };
  const head = async () =>
    ((await (await call('/readyz')).json()) as { checks: { journal: number } }).checks.journal;
  return {
    app,
    folder: folder ?? own,
    call,
    post,
    command,
    open,
    titles,
    /** The last sequence of the journal. */
    head,
    /** Stops, and verifies that the journal holds together. */
    async close() {
      await app.stop(200);
      const output: string[] = [];
      await runVerify(database, readJournal, { write: (text) => output.push(text) });
      rmSync(own, { recursive: true, force: true });
      return output.join('');
    },
  };
}

export type World = Awaited<ReturnType<typeof realApp>>;

/** The process answers, does its work, and has done what it was asked for and nothing else. */
export async function expectUnharmed(world: World, titles: readonly string[]): Promise<void> {
  expect((await world.call('/readyz')).status).toBe(200);
  expect(await world.titles()).toEqual([...titles].toSorted());
  expect(await world.close()).toMatch(/^✓ /);
}

export const problem = async (answer: Response) => ({
  status: answer.status,
  code: ((await answer.json()) as { code: string }).code,
});
