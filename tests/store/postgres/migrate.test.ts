import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TABLES } from '../../../src/domain/tables.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { columnsOf } from '../../../src/store/schema.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

const numbersOf = (dialect: string): number[] =>
  readdirSync(new URL(`../../../migrations/${dialect}`, import.meta.url))
    .filter((name) => /^\d{4}\.sql$/.test(name))
    .map((name) => Number(name.slice(0, 4)));

describe('an empty database', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createDatabase({ empty: true });
  });
  afterEach(() => database.drop());

  test('is brought to this version once, whoever comes first, with the numbers that SQLite has', async () => {
    const numbers = numbersOf('postgres');
    expect(numbers).toEqual(numbersOf('sqlite'));
    const applied = await Promise.all([1, 2, 3].map(() => migrate(database.url, undefined)));
    expect(applied.filter((list) => list.length > 0)).toEqual([numbers]);
    const kept = await database.sql<{ number: string }>('SELECT number FROM schema_version ORDER BY number');
    expect(kept.map(({ number }) => Number(number))).toEqual(numbers);
  });

  test('has the tables and columns that the nouns describe, and text that sorts by its bytes', async () => {
    await migrate(database.url, undefined);
    const columns = await database.sql<{ table: string; name: string; type: string }>(
      `SELECT c.relname AS table, a.attname AS name, a.atttypid::regtype::text AS type
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'`,
    );
    const found = Map.groupBy(columns, ({ table }) => table);
    const own = ['chains', 'counters', 'rate_limits', 'schema_version', 'workspaces'];
    expect([...found.keys()].toSorted()).toEqual([...own, ...TABLES.map(({ name }) => name)].toSorted());
    for (const table of TABLES)
      expect(
        found
          .get(table.name)
          ?.map(({ name, type }) => `${name} ${type}`)
          .toSorted(),
        table.name,
      ).toEqual(
        columnsOf(table)
          .map(({ name, type }) => `${name} ${type === 'int' ? 'bigint' : 'text'}`)
          .toSorted(),
      );
    const otherwise = await database.sql(
      `SELECT attrelid::regclass, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND atttypid = 'text'::regtype
         AND attcollation <> '"C"'::regcollation`,
    );
    expect(otherwise).toEqual([]);
  });

  test('an older program refuses a newer schema and touches nothing', async () => {
    await migrate(database.url, undefined);
    await database.sql('INSERT INTO schema_version VALUES (9999)');
    await expect(openPostgres({ url: database.url })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/schema 9999.*start a newer version/),
    });
  });

  test('an owner’s address of another database is refused, and that one stays as it is', async () => {
    const other = await createDatabase({ empty: true });
    await expect(migrate(database.url, other.url)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /SIGNALBOX_DB_OWNER is the address of another database, .*Nothing was changed\.$/,
      ),
    });
    expect(await other.sql(`SELECT to_regclass('schema_version') AS known`)).toEqual([{ known: null }]);
    await other.drop();
  });

  test('an owner that may not change it is told so, and not to be named', async () => {
    const nobody = `nobody_${crypto.randomUUID().slice(0, 8)}`;
    await database.sql(`CREATE ROLE ${nobody} LOGIN PASSWORD 'example'`);
    await expect(migrate(database.url, database.as(nobody, 'example'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /the role of SIGNALBOX_DB_OWNER may not change it \(.*\): make it the owner/,
      ),
    });
    await database.sql(`DROP ROLE ${nobody}`);
  });

  test('a newer program that migrated in the meantime shows', async () => {
    const store = await openPostgres({ url: database.url });
    expect(await store.currentSchema()).toBe(store.schema);
    await database.sql('INSERT INTO schema_version VALUES (9999)');
    expect(await store.currentSchema()).toBe(9999);
    await store.close();
  });
});

test.each([
  [
    'there is no such database',
    (url: string) => `${url}_not`,
    /There is no database postgres:\/\/127\.0\.0\.1:\d+\/test_\w+_not\./,
  ],
  [
    'nobody listens',
    () => 'postgres://ana@127.0.0.1:1/box',
    /postgres:\/\/127\.0\.0\.1:1\/box cannot be reached/,
  ],
])('a start where %s is refused in words', async (_case, change, words) => {
  const database = await createDatabase();
  await expect(openPostgres({ url: change(database.url), lockTimeout: 500 })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(words),
  });
  await database.drop();
});
