import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../../src/core/store.ts';
import { journal } from '../../../src/domain/journal.ts';
import { jobs } from '../../../src/domain/job.ts';
import { TABLES } from '../../../src/domain/tables.ts';
import { copyDatabase, type CopyOptions } from '../../../src/store/copy/index.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import { testClock, type TestClock } from '../../support/harness.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';
import { tempFolder } from '../../support/temp.ts';
import { seed } from './seed.ts';

let clock: TestClock;
let file: string;
let database: TestDatabase;
beforeEach(async () => {
  clock = testClock();
  file = join(tempFolder(), 'signalbox.db');
  database = await createDatabase({ empty: true });
});
afterEach(() => database.drop());

const sqlite = () => ({ kind: 'sqlite', path: file }) as const;
const postgres = (url = database.url) => ({ kind: 'postgres', url }) as const;
const copy = (over: Partial<CopyOptions> = {}) =>
  copyDatabase({ from: sqlite(), to: postgres(), alone: true, dryRun: false, now: clock.now(), ...over });

async function inSqlite<T>(work: (store: Store) => Promise<T>, path = file): Promise<T> {
  const store = openSqlite({ path, clock });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
async function inPostgres<T>(work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openPostgres({ url: database.url, clock });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
/** Everything there is, by table and workspace, in one order. */
const contents = async (store: Store) => {
  const all: Record<string, unknown> = {};
  for (const workspace of ['main', 'other'])
    await store.transaction(workspace, async (tx) => {
      for (const table of TABLES) {
        const by = table === journal ? 'seq' : 'id';
        const rows = await tx.find(table, { orderBy: [{ column: by }] });
        all[`${workspace}.${table.name}`] = rows.map((row) =>
          table.name === jobs.name ? { ...row, ticket: null } : row,
        );
      }
    });
  return all;
};
const seeded = async (store: Store) => {
  await seed(store, 'main');
  await store.transaction('other', (tx) => tx.next('TSK'));
  return { all: await contents(store), last: (await store.history('main', 0, 9)).at(-1) };
};

describe('from SQLite to PostgreSQL', () => {
  test('every row of every table arrives as it was, and journal and ids go on', async () => {
    const { all, last } = await inSqlite(seeded);
    const copied = await copy();
    expect(copied.heads).toEqual(new Map([['main', { seq: 3, hash: last?.hash }]]));
    expect(copied.rows.get('tasks')).toBe(2);
    await inPostgres(async (store) => {
      expect(await contents(store)).toEqual(all);
      expect(await store.workspaces()).toEqual(['main', 'other']);
      const entry = { event: 'x.y', actor: 'a', target: 't', correlationId: 'c', cause: null, details: {} };
      const next = await store.transaction('main', async (tx) => {
        expect(await tx.next('TSK')).toBe(3);
        return tx.append(entry);
      });
      expect(next).toMatchObject({ seq: 4, previous: last?.hash });
      expect(await store.transaction('other', (tx) => tx.next('TSK'))).toBe(2);
    });
  });

  test('erased details stay erased, and the chain holds', async () => {
    await inSqlite(seeded);
    const db = new Database(file);
    db.exec('UPDATE journal SET details = NULL, salt = NULL WHERE seq = 2');
    db.close();
    await copy();
    const [row] = await database.sql('SELECT details, salt FROM journal WHERE seq = 2');
    expect(row).toEqual({ details: null, salt: null });
  });

  test('more rows than a batch holds arrive', async () => {
    await inSqlite(async (store) => {
      for (let from = 0; from < 2_500; from += 500)
        await store.transaction('main', async (tx) => {
          for (let n = from; n < from + 500; n += 1)
            await tx.append({
              event: 'x.y',
              actor: 'a',
              target: 't',
              correlationId: 'c',
              cause: null,
              details: { n },
            });
        });
    });
    expect((await copy()).heads.get('main')?.seq).toBe(2_500);
  });

  test('a dry run leaves nothing', async () => {
    await inSqlite(seeded);
    expect((await copy({ dryRun: true })).rows.get('tasks')).toBe(2);
    expect(await inPostgres((store) => store.workspaces())).toEqual([]);
  });

  test('into a database with anything in it: refused, and it stays as it was', async () => {
    await inSqlite(seeded);
    await inPostgres((store) => store.transaction('mine', (tx) => tx.next('TSK')));
    await expect(copy()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('is not empty'),
    });
    expect(await inPostgres((store) => store.workspaces())).toEqual(['mine']);
    // Nor is it brought to this version.
    await database.sql('DELETE FROM schema_version WHERE number > 1');
    await expect(copy()).rejects.toMatchObject({ message: expect.stringContaining('is not empty') });
    expect(await database.sql('SELECT number::int FROM schema_version')).toEqual([{ number: 1 }]);
  });

  test('what breaks off half-way leaves the target empty', async () => {
    await inSqlite(seeded);
    // The last of the tables.
    const db = new Database(file);
    db.exec(`UPDATE leases SET holder = 'a' || char(0) || 'b' WHERE id = 'a'`);
    db.close();
    await expect(copy()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('A row of leases holds the character NUL'),
    });
    expect(await inPostgres((store) => store.workspaces())).toEqual([]);
    expect(await database.sql('SELECT * FROM tasks')).toEqual([]);
  });

  test('a source of an older schema is refused with what to do', async () => {
    await inSqlite(seeded);
    const db = new Database(file);
    db.pragma('user_version = 1');
    db.close();
    await expect(copy()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/has schema 1, and the copy would have \d+: .*`signalbox migrate`/),
    });
  });

  test('a target that cannot be reached, or does not let us in, is told without its password', async () => {
    await inSqlite(seeded);
    const away = new URL(database.url);
    away.port = '1';
    for (const url of [away.href, database.as('nobody', 'fake-password')]) {
      const refused = await copy({ to: postgres(url) }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'unavailable' });
      expect((refused as Error).message).not.toContain('fake-password');
    }
  });
});

describe('from PostgreSQL to a SQLite file', () => {
  const back = () => ({ kind: 'sqlite', path: `${file}.back` }) as const;

  test('every row of every table arrives as it was', async () => {
    const { all, last } = await inPostgres(seeded);
    const copied = await copy({ from: postgres(), to: back() });
    expect(copied.heads).toEqual(new Map([['main', { seq: 3, hash: last?.hash }]]));
    expect(await inSqlite(contents, back().path)).toEqual(all);
  });

  test('there and back again it is the same', async () => {
    const { all } = await inSqlite(seeded);
    await copy();
    await copy({ from: postgres(), to: back() });
    expect(await inSqlite(contents, back().path)).toEqual(all);
  });

  test('what is committed meanwhile is in a backup whole or not at all', async () => {
    await inPostgres(async (store) => {
      await seeded(store);
      const write = (n: number) =>
        store.transaction('main', async (tx) => {
          await tx.next('TSK');
          const entry = { event: 'x.y', actor: 'a', target: 't', correlationId: 'c', cause: null };
          await tx.append({ ...entry, details: { n } });
        });
      const writing = Promise.all(Array.from({ length: 200 }, (_, n) => write(n)));
      const copied = await copy({ from: postgres(), to: back(), alone: false });
      await writing;
      const seq = copied.heads.get('main')?.seq ?? 0;
      expect(await inSqlite((s) => s.transaction('main', (tx) => tx.next('TSK')), back().path)).toBe(seq);
    });
  });

  test('nothing is left where it fails', async () => {
    await expect(copy({ from: postgres(), to: back() })).rejects.toMatchObject({ code: 'unavailable' });
    expect(existsSync(back().path)).toBe(false);
  });
});

describe('alone', () => {
  const alone = (now = new Date()) =>
    copy({ from: postgres(), to: { kind: 'sqlite', path: `${file}.x` }, now });

  test('is refused while anybody of ours is connected', async () => {
    await inPostgres(async (store) => {
      await seeded(store);
      await expect(alone()).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringMatching(
          /A server or worker is running on .* connections? of Signalbox\): stop it/,
        ),
      });
    });
    expect((await alone()).rows.get('tasks')).toBe(2);
  });

  test.each([
    ['ahead', 60_000],
    ['behind', -60_000],
  ])('is refused while a lease is held by the clock of the database, with ours %s', async (_, by) => {
    await inPostgres(seeded);
    const [row] = await database.sql<{ now: Date }>('SELECT clock_timestamp() AS now');
    const present = row?.now.getTime() ?? 0;
    const hold = (until: number) =>
      database.sql(`UPDATE leases SET holder = 'host/12/x', expires_at = $1 WHERE id = 'a'`, [until]);
    await hold(present + 20_000);
    await expect(alone(new Date(present + by))).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('(host/12/x holds a): stop it first.'),
    });
    await hold(present);
    expect((await alone(new Date(present + by))).rows.get('tasks')).toBe(2);
  });
});

test('a queued job is handed to the engine of the copy, whatever ticket it had', async () => {
  await inSqlite(seeded);
  await inSqlite((store) =>
    store.transaction('main', async (tx) => {
      for (const row of await tx.find(jobs))
        await tx.update(jobs, row, {
          capability: 'default',
          priority: 1,
          ticket: `${crypto.randomUUID()}:0`,
        });
    }),
  );
  await copy();
  await inPostgres(async (store) => {
    const wanted = { capabilities: ['default'], limit: 9, room: new Map() };
    expect(await store.transaction('main', (tx) => tx.queue.mend())).toBe(2);
    const taken = await store.transaction('main', (tx) => tx.queue.take(wanted));
    expect(taken.map(({ job }) => job).toSorted()).toEqual(['a', 'b']);
  });
});
