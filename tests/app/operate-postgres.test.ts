import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { run, startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

// The subcommands as people call them, on a PostgreSQL; what they print names it without its password.

let database: TestDatabase;
let folder: string;
let name: string;
beforeEach(async () => {
  database = await createDatabase({ empty: true });
  folder = tempFolder();
  const { host, pathname } = new URL(database.url);
  name = `postgres://${host}${pathname}`;
});
afterEach(() => database.drop());

async function said(...args: string[]): Promise<[code: number | null, text: string]> {
  const { code, out, err } = await run(args, { folder, env: { SIGNALBOX_DB: database.url } });
  const text = `${out}${err}`;
  expect(text).not.toContain(database.url);
  expect(text).not.toContain(':example@');
  return [code, text];
}

// Eleven processes, one after another.
test('migrate, doctor, token, a server, audit verify and export', { timeout: 90_000 }, async () => {
  expect(await said('doctor')).toEqual([
    0,
    expect.stringContaining(`○ database: no database yet at ${name};`),
  ]);
  expect(await said('audit', 'verify')).toEqual([
    1,
    expect.stringContaining(`✗ ${name} cannot be read to its end`),
  ]);
  expect(await said('migrate')).toEqual([0, `${name} has this version's schema (4).\n`]);
  expect(await said('migrate')).toEqual([0, `${name} has this version's schema (4).\n`]);
  expect(await said('audit', 'verify')).toEqual([0, 'The journal is empty.\n']);
  const [code, token] = await said('token');
  expect([code, token]).toEqual([0, expect.stringMatching(/^sb_\S+\n$/)]);

  const server = await startServer({
    folder,
    env: { SIGNALBOX_DB: database.url, SIGNALBOX_ADMIN_TOKEN: `fake-admin-token-${'x'.repeat(32)}` },
  });
  const created = await server.fetch('/v1/commands', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token.trim()}` },
    body: JSON.stringify({ text: 'task create "Fix login"' }),
  });
  expect(await created.json()).toMatchObject({
    status: 'ok',
    reply: { text: expect.stringContaining('TSK-1') },
  });
  const ready = (await (await fetch(`${server.url}/readyz`)).json()) as { checks: Record<string, unknown> };
  expect(ready.checks).toMatchObject({ database: 'ok', migrations: 'ok' });
  expect(`${server.out}${server.err}`).not.toContain(':example@');

  // While the server runs.
  expect(await said('doctor')).toEqual([0, expect.stringContaining(`✓ database: ${name}, schema 4\n`)]);
  expect(await said('audit', 'verify')).toEqual([0, expect.stringMatching(/^✓ main: \d+ entries hold/m)]);
  const [, lines] = await said('audit', 'export');
  const entries = lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; seq: number });
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1));
  expect(entries.at(-1)?.event).toBe('task.created');
  expect((await server.stop()).code).toBe(0);

  await database.sql('ALTER TABLE journal DISABLE TRIGGER ALL');
  await database.sql(`UPDATE journal SET actor = 'eve' WHERE seq = 3`);
  expect(await said('audit', 'verify')).toEqual([1, expect.stringMatching(/entry 3 is broken: its hash/)]);
});

test('a database that cannot be reached is named without its password', async () => {
  await database.drop();
  const [code, text] = await said('start');
  expect([code, text]).toEqual([1, `✗ There is no database ${name}.\n`]);
  database = await createDatabase({ empty: true });
});
