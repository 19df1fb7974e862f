import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { run, startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const FILE = resolve(import.meta.dirname, '../../examples/postgres/roles.sql');

/** The file as psql runs it, with roles of this test alone: roles belong to the whole server, which others use, too. */
async function makeRoles(database: TestDatabase, suffix: string): Promise<{ owner: string; server: string }> {
  const [owner, server] = [`signalbox_owner_${suffix}`, `signalbox_server_${suffix}`];
  const text = readFileSync(FILE, 'utf8')
    .replaceAll(/^\\getenv.*$/gm, '')
    .replaceAll(/:'(\w+)_password'/g, "'example-$1'")
    .replaceAll(':"DBNAME"', `"${new URL(database.url).pathname.slice(1)}"`)
    .replaceAll('signalbox_owner', owner)
    .replaceAll('signalbox_server', server);
  for (const statement of text.split(/(?<=\\gexec)\n|;\n/)) {
    const rows = await database.sql<Record<string, string>>(statement.replace('\\gexec', ''));
    // What it answers is run by psql.
    if (statement.endsWith('\\gexec'))
      // Another test's database on this server may make signalbox_app at the same moment.
      for (const made of rows.flatMap((row) => Object.values(row)))
        await database.sql(`DO $do$ BEGIN ${made}; EXCEPTION WHEN duplicate_object THEN NULL; END $do$`);
  }
  return { owner: database.as(owner, 'example-owner'), server: database.as(server, 'example-server') };
}

/** The roles end with the run's server. */
async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createDatabase({ empty: true });
  onTestFinished(() => database.drop());
  return database;
}

test('the owner migrates, the server serves, is backed up and restored, and may not change the schema', async () => {
  const database = await emptyDatabase();
  const suffix = crypto.randomUUID().slice(0, 8);
  const { owner, server } = await makeRoles(database, suffix);
  const folder = tempFolder();
  const env = { SIGNALBOX_DB: server, SIGNALBOX_ADMIN_TOKEN: 'example-token-of-an-administrator-1' };
  const early = await run(['start'], { folder, env });
  expect(early).toMatchObject({ code: 1, err: expect.stringContaining('SIGNALBOX_DB_OWNER') });
  expect(`${early.out}${early.err}`).not.toContain('example-server');
  expect(await run(['migrate'], { folder, env: { ...env, SIGNALBOX_DB_OWNER: owner } })).toMatchObject({
    code: 0,
    err: '',
  });
  expect(await run(['migrate'], { folder, env })).toMatchObject({ code: 0 });

  const running = await startServer({ folder, env });
  expect((await running.command('task create "Fix login"')).status).toBe(200);
  expect(await run(['backup', 'backup.db'], { folder, env })).toMatchObject({ code: 0, err: '' });
  expect(await running.stop()).toMatchObject({ code: 0 });
  expect(await run(['audit', 'verify'], { folder, env })).toMatchObject({ code: 0 });

  // On the same server, where the roles are there already.
  const other = await emptyDatabase();
  const roles = await makeRoles(other, suffix);
  const restored = { SIGNALBOX_DB: roles.server, SIGNALBOX_DB_OWNER: roles.owner };
  expect(await run(['restore', 'backup.db'], { folder, env: restored })).toMatchObject({ code: 0, err: '' });
  expect(await other.sql('SELECT title FROM tasks')).toEqual([{ title: 'Fix login' }]);
}, 120_000);
