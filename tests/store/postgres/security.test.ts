import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { TABLES } from '../../../src/domain/tables.ts';
import { tasks } from '../../../src/domain/task.ts';
import { checkRole } from '../../../src/store/postgres/check-role.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import type { Session } from '../../../src/store/postgres/session.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { event, newTask } from '../../contract/store.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

const COLUMNS = `SELECT c.relname AS table, a.attname AS column, a.atttypid::regtype::text AS type
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1, a.attnum`;

describe('row-level security', () => {
  let database: TestDatabase;
  let columns: Map<string, Column[]>;
  let guarded: string[];
  /** Runs SQL as the servers' role, in a workspace or in none. */
  const asServer = (statement: string, workspace?: string) =>
    database.sql(
      `BEGIN; SET LOCAL ROLE signalbox_app; ${workspace === undefined ? '' : `SET LOCAL signalbox.workspace = '${workspace}';`}
       ${statement}; COMMIT`,
    );
  /** How many rows the servers' role sees, table by table. */
  const seen = async (workspace?: string): Promise<Record<string, number>> => {
    await database.sql('CREATE TABLE IF NOT EXISTS scratch (counts jsonb)');
    await database.sql(`DO $$ DECLARE name text; n bigint; counts jsonb := '{}'; BEGIN
        SET LOCAL ROLE signalbox_app;
        ${workspace === undefined ? '' : `SET LOCAL signalbox.workspace = '${workspace}';`}
        FOREACH name IN ARRAY '{${guarded.join()}}'::text[] LOOP
          EXECUTE format('SELECT count(*) FROM %I', name) INTO n;
          counts := counts || jsonb_build_object(name, n);
        END LOOP;
        RESET ROLE;
        DELETE FROM scratch;
        INSERT INTO scratch VALUES (counts);
      END $$`);
    const [row] = await database.sql<{ counts: Record<string, number> }>('SELECT counts FROM scratch');
    return row?.counts ?? {};
  };

  beforeAll(async () => {
    database = await createDatabase();
    columns = Map.groupBy(await database.sql<Column>(COLUMNS), ({ table }) => table);
    guarded = [...columns.keys()].filter((name) => columns.get(name)?.some((c) => c.column === 'workspace'));
    // A row of workspace w in every table, whatever is in it.
    for (const table of guarded) {
      const values = (columns.get(table) ?? []).map(({ column, type }) =>
        column === 'workspace' ? `'w'` : type === 'text' ? `'x'` : '1',
      );
      await database.sql(`INSERT INTO "${table}" VALUES (${values.join()})`);
    }
  });
  afterAll(async () => {
    await database.sql('DROP TABLE IF EXISTS scratch');
    await database.drop();
  });

  test('holds for every table that has a workspace, whoever made it', async () => {
    expect(guarded).toEqual(
      expect.arrayContaining(['chains', 'counters', ...TABLES.map(({ name }) => name)]),
    );
    const open = await database.sql<{ relname: string }>(
      `SELECT relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace'
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)`,
    );
    expect(open).toEqual([]);
  });

  test('without a workspace every table is empty; in another one, too; in its own it is not', async () => {
    const each = (n: number) => Object.fromEntries(guarded.map((table) => [table, n]));
    expect(await seen()).toEqual(each(0));
    expect(await seen('v')).toEqual(each(0));
    expect(await seen('w')).toEqual(each(1));
  });

  test('a row of another workspace cannot be written, and none of none', async () => {
    const row = `INSERT INTO leases VALUES ('v', 'l', 1, 'x', 1, 1)`;
    await expect(asServer(row, 'w')).rejects.toThrow(/row-level security/);
    await expect(asServer(row)).rejects.toThrow(/row-level security/);
    await expect(asServer(`UPDATE leases SET workspace = 'v'`, 'w')).rejects.toThrow(/row-level security/);
    await asServer(`DELETE FROM leases`, 'v');
    expect((await seen('w'))['leases']).toBe(1);
  });

  test('what stands outside of it is listed in the documentation, and nothing else does', async () => {
    const outside = await database.sql<{ name: string }>(
      `SELECT CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname END AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'p') AND NOT c.relrowsecurity AND c.relname <> 'scratch'
         AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
       GROUP BY 1 ORDER BY 1`,
    );
    const page = readFileSync(new URL('../../../docs/architecture.md', import.meta.url), 'utf8');
    const [, section = ''] = /## Row-level security\n([^]*?)(?=\n## |$)/.exec(page) ?? [];
    const listed = Array.from(section.matchAll(/^\| `([\w.]+)` \|/gm), ([, name = '']) => name);
    expect(outside.map(({ name }) => name)).toEqual(listed.toSorted());
  });

  test('a role that it does not hold for is refused', async () => {
    const asSuperuser = {
      ask: async ({ text }: { text: string }) => ({ rows: await database.sql(text) }),
    } as unknown as Session;
    await expect(checkRole(asSuperuser)).rejects.toThrow(
      /postgres, for which row-level security does not hold/,
    );
  });

  test('no statement of the servers takes the guard away', async () => {
    for (const statement of [
      'ALTER TABLE tasks DISABLE ROW LEVEL SECURITY',
      'DROP POLICY one_workspace ON tasks',
      'DROP TRIGGER journal_no_delete ON journal',
      'TRUNCATE journal',
      'DELETE FROM workspaces',
      'UPDATE schema_version SET number = 0',
    ])
      await expect(asServer(statement, 'w'), statement).rejects.toThrow(/must be owner|permission denied/);
  });
});

describe('roles of their own for owner and servers', () => {
  test('the owner migrates, the servers only work', async () => {
    const database = await createDatabase({ empty: true });
    const mark = crypto.randomUUID().slice(0, 8);
    const [owner, app] = [`owner_${mark}`, `app_${mark}`];
    onTestFinished(async () => {
      await database.sql(`REASSIGN OWNED BY ${owner} TO postgres; DROP OWNED BY ${owner}, ${app} CASCADE`);
      await database.sql(`DROP ROLE ${app}`);
      await database.sql(`DROP ROLE ${owner}`);
      await database.drop();
    });
    await database.sql(`CREATE ROLE ${owner} LOGIN CREATEROLE PASSWORD 'example'`);
    await database.sql(`CREATE ROLE ${app} LOGIN NOINHERIT PASSWORD 'example'`);
    // Other databases of this server have made the role by now, so this owner is given it.
    await database.sql(`GRANT signalbox_app TO ${owner} WITH ADMIN OPTION`);
    const name = new URL(database.url).pathname.slice(1);
    await database.sql(`ALTER DATABASE ${name} OWNER TO ${owner}; ALTER SCHEMA public OWNER TO ${owner}`);
    const [ownerUrl, appUrl] = [database.as(owner, 'example'), database.as(app, 'example')];

    await expect(openPostgres({ url: appUrl })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/run `signalbox migrate` with SIGNALBOX_DB_OWNER/),
    });
    expect((await migrate(appUrl, ownerUrl)).length).toBeGreaterThan(0);
    const store = await openPostgres({ url: appUrl });
    onTestFinished(() => store.close());
    await store.transaction('w', async (tx) => {
      await tx.insert(tasks, newTask('a'));
      await tx.append(event('task.created'));
    });
    expect(await store.history('w', 0, 9)).toHaveLength(1);
    // The owner itself acts as the same role, so nobody works past the policies by accident.
    const asOwner = await openPostgres({ url: ownerUrl });
    expect(await asOwner.read('w', (tx) => tx.count(tasks))).toBe(1);
    expect(await asOwner.read('v', (tx) => tx.count(tasks))).toBe(0);
    await asOwner.close();
  });

  test('a wrong password is refused without saying it', async () => {
    const database = await createDatabase();
    onTestFinished(() => database.drop());
    const error: unknown = await openPostgres({ url: database.as('postgres', 'wrong-example') }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/refused who connected: password authentication failed for user/),
    });
    expect(`${(error as Error).message} ${(error as Error).stack ?? ''}`).not.toContain('wrong-example');
  });
});
