import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leases } from '../../../src/domain/records.ts';
import { copyDatabase, type CopyOptions } from '../../../src/store/copy/index.ts';
import { openSqlite, type SqliteStore } from '../../../src/store/sqlite/store.ts';
import { testClock, type TestClock } from '../../support/harness.ts';
import { tempFolder } from '../../support/temp.ts';
import { seed } from './seed.ts';

let clock: TestClock;
let store: SqliteStore;
let folder: string;
let from: string;
let to: string;
beforeEach(async () => {
  folder = tempFolder();
  from = join(tempFolder(), 'from.db');
  to = join(folder, 'copy.db');
  clock = testClock();
  store = openSqlite({ path: from, clock });
  await seed(store, 'main');
  await store.transaction('other', (tx) => tx.next('TSK'));
});
afterEach(() => store.close());

const copy = (over: Partial<CopyOptions> = {}) =>
  copyDatabase({
    from: { kind: 'sqlite', path: from },
    to: { kind: 'sqlite', path: to },
    alone: false,
    dryRun: false,
    now: clock.now(),
    ...over,
  });
const contents = (path: string) => {
  const db = new Database(path, { readonly: true });
  const names = db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all() as string[];
  const rows = Object.fromEntries(names.map((name) => [name, db.prepare(`SELECT * FROM "${name}"`).all()]));
  db.close();
  return rows;
};

test('a copy of a file that a server has open holds every row, for its owner alone, in one file', async () => {
  const last = (await store.history('main', 0, 9)).at(-1);
  const copied = await copy();
  expect(contents(to)).toEqual(contents(from));
  expect(copied.heads).toEqual(new Map([['main', { seq: 3, hash: last?.hash }]]));
  expect([copied.rows.get('tasks'), copied.rows.get('counters')]).toEqual([2, 2]);
  expect(copied.open).toEqual({ jobs: 2, messages: 2 });
  expect(statSync(to).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['copy.db']);
});

test('the copy opens as a database, and its ids go on', async () => {
  await copy();
  const opened = openSqlite({ path: to });
  expect(await opened.transaction('main', (tx) => tx.next('TSK'))).toBe(3);
  expect(await opened.transaction('other', (tx) => tx.next('TSK'))).toBe(2);
  await opened.close();
});

test('a dry run checks all of it and leaves nothing', async () => {
  expect((await copy({ dryRun: true })).rows.get('tasks')).toBe(2);
  expect(readdirSync(folder)).toEqual([]);
});

test('what is committed while it is made is in it whole or not at all', async () => {
  const write = (n: number) =>
    store.transaction('main', async (tx) => {
      await tx.next('TSK');
      await tx.append({
        event: 'x.y',
        actor: 'a',
        target: 't',
        correlationId: 'c',
        cause: null,
        details: { n },
      });
    });
  const writing = Promise.all(Array.from({ length: 300 }, (_, n) => write(n)));
  const copied = await copy();
  await writing;
  const seq = copied.heads.get('main')?.seq ?? 0;
  const rows = contents(to);
  expect(rows['journal']).toHaveLength(seq);
  expect(rows['counters']).toContainEqual({ workspace: 'main', name: 'TSK', value: seq - 1 });
});

describe('nothing is overwritten', () => {
  test.each(['', '-wal', '-journal'])('refused while %s is there', async (suffix) => {
    writeFileSync(`${to}${suffix}`, 'mine');
    await expect(copy()).rejects.toMatchObject({
      code: 'conflict',
      message: `${to}${suffix} is there already; name a new file, or move it away.`,
    });
    expect(readdirSync(folder)).toEqual([`copy.db${suffix}`]);
  });

  test('not onto itself', async () => {
    await expect(copy({ to: { kind: 'sqlite', path: from } })).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('what cannot be copied is said, and nothing is left', () => {
  const expectRefused = async (path: string, expected: { code: string; message: unknown }) => {
    await expect(copy({ from: { kind: 'sqlite', path } })).rejects.toMatchObject(expected);
    expect(existsSync(to)).toBe(false);
  };

  test('there is no database', () =>
    expectRefused(join(folder, 'none.db'), {
      code: 'not_found',
      message: `There is no database at ${join(folder, 'none.db')}.`,
    }));

  test('it is something else', async () => {
    const path = join(folder, 'x');
    writeFileSync(path, 'hello '.repeat(1_000));
    await expectRefused(path, {
      code: 'unavailable',
      message: expect.stringContaining('is not a Signalbox'),
    });
    new Database(`${path}.db`).exec('CREATE TABLE t (x)').close();
    await expectRefused(`${path}.db`, {
      code: 'invalid_argument',
      message: `${path}.db is not a Signalbox database.`,
    });
  });

  const changed = async (sql: string) => {
    await store.close();
    const path = join(folder, 'changed.db');
    copyFileSync(from, path);
    const db = new Database(path);
    db.exec(sql);
    db.close();
    return path;
  };

  test('its journal does not hold', async () => {
    const path = await changed(
      `DROP TRIGGER journal_no_update; UPDATE journal SET actor = 'eve' WHERE seq = 2`,
    );
    await expectRefused(path, {
      code: 'conflict',
      message: `The journal of ${path} is broken at entry 2 of main: its hash does not match its content.`,
    });
  });

  test('its journal cannot be read', async () => {
    const path = await changed(
      `DROP TRIGGER journal_no_update; UPDATE journal SET details = '{' WHERE seq = 2`,
    );
    await expectRefused(path, { code: 'conflict', message: expect.stringContaining('cannot be read') });
  });

  test('it is newer than this program', async () => {
    await expectRefused(await changed('PRAGMA user_version = 999'), {
      code: 'unavailable',
      message: expect.stringContaining('has schema 999'),
    });
  });

  test('a page of it is damaged', async () => {
    await store.transaction('main', async (tx) => {
      for (let n = 0; n < 500; n += 1) await tx.next(`${'x'.repeat(100)}${n}`);
    });
    await store.close();
    const path = join(folder, 'damaged.db');
    copyFileSync(from, path);
    const db = new Database(path, { readonly: true });
    const page = db
      .prepare(`SELECT pageno FROM dbstat WHERE name = 'counters' AND pagetype = 'leaf' LIMIT 1`)
      .pluck()
      .get() as number;
    db.close();
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(4_096, 7), 0, 4_096, (page - 1) * 4_096);
    closeSync(file);
    await expectRefused(path, { code: 'unavailable', message: expect.stringContaining('damaged') });
  });

  test('the folder cannot be made', async () => {
    const closed = join(folder, 'file');
    writeFileSync(closed, '');
    await expect(copy({ to: { kind: 'sqlite', path: join(closed, 'copy.db') } })).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});

describe('alone', () => {
  test('is refused while a server holds a lease, and says who', async () => {
    await store.transaction('main', (tx) =>
      tx.insert(leases, {
        id: 'outbox',
        holder: 'host/12/x',
        fence: 1,
        expiresAt: new Date(tx.now.getTime() + 5_000),
      }),
    );
    await expect(copy({ alone: true })).rejects.toMatchObject({
      code: 'conflict',
      message: `A server is running on ${from} (host/12/x holds outbox): stop it first.`,
    });
    clock.pass(6_000);
    await expect(copy({ alone: true })).resolves.toMatchObject({ open: { jobs: 2 } });
  });

  test('is refused while somebody writes, and lets nobody write meanwhile', async () => {
    const other = new Database(from, { timeout: 0 });
    other.exec('BEGIN IMMEDIATE');
    await expect(copy({ alone: true })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('locked by another process'),
    });
    other.exec('ROLLBACK');
    other.close();
  }, 20_000);
});
