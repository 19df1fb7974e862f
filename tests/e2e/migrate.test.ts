import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { run, startServer, type Server } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const TOKEN = 'example-token-of-an-administrator-1';
const CONFIG = `
runbooks:
  hello:
    summary: Says hello
    risk: write
    permission: runbook:hello
    timeout: 10s
    tries: { max: 2 }
    bounds: { logLines: 10, outputBytes: 1000 }
    executor: { kind: shell, argv: [node, -e, 'console.log(1)'] }
`;

const said = async (server: Server, text: string, key?: string) => {
  const answer = (await (await server.command(text, key)).json()) as { reply?: { text: string } };
  return answer.reply?.text ?? JSON.stringify(answer);
};

test('a team moves from SQLite to PostgreSQL, and what was queued runs there', async () => {
  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), CONFIG);
  const database = await createDatabase({ empty: true });
  onTestFinished(() => database.drop());
  const env = { SIGNALBOX_ADMIN_TOKEN: TOKEN };
  const file = join(folder, 'signalbox.db');
  const move = (...more: string[]) =>
    run(['migrate', '--from', `sqlite:${file}`, '--to', database.url, ...more], { folder });

  const old = await startServer({ folder, env });
  expect(await said(old, 'task create "Fix login"', 'key-1')).toContain('TSK-1');
  expect(await said(old, 'job run hello --in 1h')).toContain('JOB-1');
  expect(await said(old, 'job run hello --in 1s')).toContain('JOB-2');
  expect(await move()).toMatchObject({ code: 1, err: expect.stringMatching(/running|locked/) });
  await old.stop();

  const dry = await move('--dry-run');
  expect(dry).toMatchObject({ code: 0, err: '' });
  expect(dry.out).toContain('It can be copied');
  const moved = await move();
  expect(moved).toMatchObject({ code: 0, err: '' });
  expect(moved.out).toMatch(/✓ main: \d+ entries hold on both sides, the last is [0-9a-f]{64}\n/);
  expect(moved.out).toContain('set SIGNALBOX_DB to it');
  expect(moved.out).not.toContain(new URL(database.url).password);
  expect(await move()).toMatchObject({ code: 1, err: expect.stringContaining('is not empty') });

  const server = await startServer({ folder, env: { ...env, SIGNALBOX_DB: database.url } });
  expect(await said(server, 'task create "Fix login"', 'key-1')).toContain('TSK-1');
  expect(await said(server, 'task create "Another"')).toContain('TSK-2');
  await vi.waitFor(async () => expect(await said(server, 'job show JOB-2')).toContain('succeeded'), 30_000);
  expect(await said(server, 'job show JOB-1')).toContain('queued');
  expect(await said(server, 'audit verify')).toMatch(/verify/);
  expect(await server.stop()).toMatchObject({ code: 0 });
}, 90_000);

test('what is no database, or half of the command, is told without a password', async () => {
  const folder = tempFolder();
  const database = (scheme: string) => `${scheme}://u:fake-secret@127.0.0.1:1/d`;
  const tried = async (...args: string[]) => {
    const { code, out, err } = await run(['migrate', ...args], { folder });
    return `${code} ${out}${err}`;
  };
  expect(await tried('--from', 'sqlite:a.db')).toMatch(/^2 Usage: signalbox migrate/);
  expect(await tried('--from', 'a.db', '--to', database('mysql'))).toBe(
    '1 ✗ --to: expected the path of a SQLite file, sqlite:path, or postgres://user:password@host:port/database with one host.\n',
  );
  expect(await tried('--from', 'a.db', '--to', database('postgres'))).toBe(
    `1 ✗ There is no database at ${join(folder, 'a.db')}.\n`,
  );
}, 30_000);
