import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Commit } from '../../../src/core/store.ts';
import { journal } from '../../../src/domain/journal.ts';
import { tasks } from '../../../src/domain/task.ts';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import { event, newTask, storeContract } from '../../contract/store.ts';
import { tempFolder } from '../../support/temp.ts';

storeContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-store-'));
  const store = openSqlite({ path: join(folder, 'test.db') });
  return {
    store,
    async close() {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('SQLite store', () => {
  const fresh = () => join(tempFolder(), 'new', 'test.db');

  test('an older program refuses a newer schema and touches nothing', async () => {
    const path = fresh();
    await openSqlite({ path }).close();
    const raw = new Database(path);
    raw.pragma('user_version = 9999');
    raw.close();
    expect(() => openSqlite({ path })).toThrow(/schema 9999.*start a newer version/);
  });

  test('what another process commits is another revision of every table, and ours is not for tables it leaves alone', async () => {
    const path = fresh();
    const [ours, other] = [openSqlite({ path }), openSqlite({ path })];
    const revision = () => ours.transaction('w', async (tx) => tx.revision([tasks]));
    const first = await revision();
    await ours.transaction('w', (tx) => tx.append(event('task.moved')));
    expect(await revision()).toBe(first);
    await other.transaction('w', (tx) => tx.append(event('task.moved')));
    expect(await revision()).not.toBe(first);
    await Promise.all([ours.close(), other.close()]);
  });

  test('a file that is no database is refused with its name', () => {
    const path = join(tempFolder(), 'text.db');
    writeFileSync(path, 'hello, this is a text file and no database at all. '.repeat(40));
    expect(() => openSqlite({ path })).toThrow(/text\.db is not a Signalbox database/);
  });

  test('a damaged file is refused with a clear error and what is acknowledged stays readable', async () => {
    const path = fresh();
    const store = openSqlite({ path });
    await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
    await store.close();
    const raw = new Database(path);
    const pages = raw.pragma('page_count', { simple: true }) as number;
    const size = raw.pragma('page_size', { simple: true }) as number;
    raw.pragma('wal_checkpoint(TRUNCATE)');
    raw.close();
    const { readFileSync } = await import('node:fs');
    const bytes = readFileSync(path);
    bytes.fill(0xff, size, pages * size);
    writeFileSync(path, bytes);
    const attempt = async () => {
      const broken = openSqlite({ path });
      try {
        await broken.transaction('w', (tx) => tx.find(tasks));
      } finally {
        await broken.close();
      }
    };
    await expect(attempt()).rejects.toThrow(/damaged|not a Signalbox database/);
  });

  test('a database locked by another process is answered with unavailable, and works again afterwards', async () => {
    const path = fresh();
    const store = openSqlite({ path, lockTimeout: 10 });
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    await expect(store.transaction('w', (tx) => tx.insert(tasks, newTask('a')))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('locked by another process'),
    });
    other.exec('ROLLBACK');
    other.close();
    await expect(store.transaction('w', (tx) => tx.insert(tasks, newTask('a')))).resolves.toBeDefined();
    await store.close();
  });

  test('a full disk refuses the command with nothing changed, and the process goes on', async () => {
    const path = fresh();
    const store = openSqlite({ path });
    await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
    await store.close();
    const limited = openSqlite({ path, maxPages: 'present' });
    const big = newTask('b', { description: 'x'.repeat(5_000_000) });
    await expect(
      limited.transaction('w', async (tx) => {
        await tx.append(event('task.created'));
        await tx.insert(tasks, big);
      }),
    ).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('disk is full') });
    expect((await limited.transaction('w', (tx) => tx.find(tasks))).map((t) => t.id)).toEqual(['a']);
    expect(await limited.history('w', 0, 9)).toEqual([]);
    await limited.close();
  });

  test('the database itself refuses to rewrite or delete the journal, and allows erasure of details with salt', async () => {
    const path = fresh();
    const store = openSqlite({ path });
    await store.transaction('w', (tx) => tx.append(event('a', { secret: 'no', note: 'yes' })));
    const raw = new Database(path);
    expect(() => raw.exec(`UPDATE journal SET actor = 'eve'`)).toThrow(/append-only/);
    expect(() => raw.exec('DELETE FROM journal')).toThrow(/append-only/);
    expect(() => raw.exec(`UPDATE journal SET details = '{}'`)).toThrow(/append-only/);
    raw.exec('UPDATE journal SET details = NULL, salt = NULL');
    raw.close();
    expect(await store.history('w', 0, 1)).toMatchObject([{ details: {}, salt: null }]);
    await store.close();
  });

  test('entries that another process wrote are announced, in order with our own', async () => {
    const path = fresh();
    const ours = openSqlite({ path });
    const theirs = openSqlite({ path });
    const heard: number[] = [];
    ours.onCommit((c) => heard.push(...c.entries.map((e) => e.seq)));
    await theirs.transaction('w', (tx) => tx.append(event('theirs')));
    await ours.transaction('w', (tx) => tx.append(event('ours')));
    expect(heard).toEqual([1, 2]);
    await Promise.all([ours.close(), theirs.close()]);
  });

  describe('of another process', () => {
    /** Our store and another connection to its file; `look` is the next look at what others have committed. */
    async function shared() {
      const path = fresh();
      const reported: unknown[] = [];
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
      const ours = openSqlite({ path, report: (error) => reported.push(error) });
      const look = () => void vi.advanceTimersByTime(1_000);
      const raw = new Database(path);
      onTestFinished(async () => {
        raw.close();
        await ours.close();
        vi.useRealTimers();
      });
      await ours.transaction('w', (tx) => tx.append(event('first')));
      const heard: Commit[] = [];
      ours.onCommit((commit) => heard.push(commit));
      return { ours, raw, look, heard, reported };
    }
    /** Appends an entry that nobody can read. */
    const spoil = (raw: Database.Database) => {
      const copied = 'id, version, at, event, actor, target, correlation_id, cause';
      const rest = 'salt, commitment, previous, hash';
      raw.exec(
        `INSERT INTO journal (workspace, seq, ${copied}, details, ${rest})
         SELECT workspace, seq + 1, ${copied}, '{no JSON', ${rest} FROM journal ORDER BY seq DESC LIMIT 1`,
      );
    };
    const seqs = (heard: readonly Commit[]) => heard.flatMap((c) => c.entries.map((e) => e.seq));

    test('a commit without an entry is announced as a change of every table', async () => {
      const { raw, look, heard } = await shared();
      look();
      expect(heard).toEqual([]);
      raw.exec(
        `INSERT INTO leases (workspace, id, version, holder, fence, expires_at) VALUES ('w', 'l', 1, 'x', 1, 1)`,
      );
      look();
      expect(heard).toMatchObject([{ workspace: 'w', entries: [] }]);
      expect(['jobs', 'outbox', 'leases'].map((name) => heard[0]?.tables.has(name))).toEqual([
        true,
        true,
        true,
      ]);
      look();
      expect(heard).toHaveLength(1);
    });

    test('an entry that cannot be read is reported when it is met, and later commits go on', async () => {
      const { ours, raw, look, heard, reported } = await shared();
      spoil(raw);
      look();
      expect(reported).toHaveLength(1);
      await ours.transaction('w', (tx) => tx.append(event('ours')));
      expect(seqs(heard)).toEqual([3]);
      raw.exec(`UPDATE leases SET fence = 1`);
      look();
      await ours.transaction('w', (tx) => tx.append(event('ours again')));
      expect(seqs(heard)).toEqual([3, 4]);
    });

    test('nor does it stop a commit of ours that comes before the look', async () => {
      const { ours, raw, heard, reported } = await shared();
      spoil(raw);
      const both = ['one', 'two'].map((name) => ours.transaction('w', (tx) => tx.append(event(name))));
      expect((await Promise.all(both)).map((entry) => entry.seq)).toEqual([3, 4]);
      await ours.transaction('w', (tx) => tx.append(event('three')));
      expect(seqs(heard)).toEqual([3, 4, 5]);
      expect(reported).toHaveLength(1);
    });
  });

  test.skipIf(process.platform === 'win32')('file and folder are for their owner alone', async () => {
    const path = fresh();
    const store = openSqlite({ path });
    await store.transaction('w', (tx) => tx.append(event('x')));
    const mode = (of: string) => (statSync(of).mode & 0o777).toString(8);
    expect([path, `${path}-wal`, `${path}-shm`].map(mode)).toEqual(['600', '600', '600']);
    expect(mode(dirname(path))).toBe('700');
    await store.close();
  });

  test('no call reads or changes another workspace', async () => {
    const path = fresh();
    const store = openSqlite({ path });
    const ids = fc.constantFrom('a', 'b', 'c');
    const spaces = fc.constantFrom('w1', 'w2', 'w3');
    const step = fc.record({
      workspace: spaces,
      id: ids,
      op: fc.constantFrom('insert', 'update', 'remove', 'get', 'find', 'count', 'append', 'history', 'next'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const run = crypto.randomUUID();
        const mark = (workspace: string) => `${run}/${workspace}`;
        const foreign: string[] = [];
        const see = (workspace: string, titles: readonly string[]) =>
          foreign.push(...titles.filter((t) => t !== mark(workspace)));
        for (const { workspace, id, op } of steps) {
          const space = mark(workspace);
          await store
            .transaction(space, async (tx) => {
              if (op === 'insert') await tx.insert(tasks, newTask(id, { title: space }));
              if (op === 'remove') await tx.remove(tasks, { id });
              if (op === 'next') await tx.next('TSK');
              if (op === 'append') await tx.append({ ...event('x'), target: space });
              const row = op === 'get' || op === 'update' ? await tx.get(tasks, { id }) : undefined;
              if (row) see(workspace, [row.title]);
              if (op === 'update' && row) await tx.update(tasks, row, { description: 'changed' });
              if (op === 'find')
                see(
                  workspace,
                  (await tx.find(tasks)).map((t) => t.title),
                );
              if (op === 'find')
                see(
                  workspace,
                  (await tx.find(journal)).map((e) => e.target),
                );
              if (op === 'count') expect(await tx.count(tasks)).toBe((await tx.find(tasks)).length);
            })
            .catch((error: unknown) => expect(error).toMatchObject({ code: 'conflict' }));
          if (op === 'history')
            see(
              workspace,
              (await store.history(space, 0, 100)).map((e) => e.target),
            );
        }
        expect(foreign).toEqual([]);
      }),
      { numRuns: 30 },
    );
    await store.close();
  });
});
