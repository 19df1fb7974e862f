import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Commit, Store } from '../../src/core/store.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { checkLink, GENESIS, journal, type JournalEntry } from '../../src/domain/journal.ts';
import { leases, outbox, receipts } from '../../src/domain/records.ts';
import { tasks, type TaskRow } from '../../src/domain/task.ts';
import type { NewRow } from '../../src/domain/table.ts';

/** A store under test, opened on an empty database. */
export interface StoreUnderTest {
  readonly store: Store;
  close(): Promise<void>;
}

export const newTask = (id: string, over: Partial<NewRow<typeof tasks>> = {}): NewRow<typeof tasks> => ({
  id,
  ref: id.toUpperCase(),
  title: `Task ${id}`,
  description: '',
  state: 'queued',
  blockedFrom: null,
  blockedReason: null,
  priority: 'P2',
  owner: null,
  labels: [],
  checklist: [],
  due: null,
  createdBy: 'ana',
  createdAt: new Date(1_000),
  updatedAt: new Date(1_000),
  archived: false,
  ...over,
});

export const event = (name: string, details = {}) => ({
  event: name,
  actor: 'ana',
  target: 'T',
  correlationId: 'c',
  cause: null,
  details,
});

/** What every store must hold, whatever the database: run by each implementation's own test file. */
export function storeContract(database: string, open: () => Promise<StoreUnderTest>): void {
  describe(`store contract: ${database}`, () => {
    let under: StoreUnderTest;
    let store: Store;
    beforeEach(async () => {
      under = await open();
      store = under.store;
    });
    afterEach(() => under.close());

    const allTasks = (workspace = 'w') => store.transaction(workspace, (tx) => tx.find(tasks));

    describe('transactions', () => {
      test('a committed row reads back as it was written, every kind of column', async () => {
        const row = newTask('a', {
          labels: ['x', 'ü'],
          due: new Date(5),
          archived: true,
          title: '“quoted” 🚦',
        });
        await store.transaction('w', (tx) => tx.insert(tasks, row));
        expect(await allTasks()).toEqual([{ ...row, version: 1 }]);
      });

      test('a callback that throws leaves nothing, and its neighbours in the same group stay', async () => {
        const results = await Promise.allSettled([
          store.transaction('w', (tx) => tx.insert(tasks, newTask('a'))),
          store.transaction('w', async (tx) => {
            await tx.insert(tasks, newTask('b'));
            await tx.append(event('task.created'));
            throw new Error('no');
          }),
          store.transaction('w', (tx) => tx.insert(tasks, newTask('c'))),
        ]);
        expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect((await allTasks()).map((t) => t.id).toSorted()).toEqual(['a', 'c']);
        expect(await store.history('w', 0, 10)).toEqual([]);
      });

      test('attempt undoes its own writes and keeps what came before and after', async () => {
        await store.transaction('w', async (tx) => {
          await tx.append(event('one'));
          await expect(
            tx.attempt(async () => {
              await tx.insert(tasks, newTask('a'));
              await tx.append(event('undone'));
              throw new Refusal('conflict', 'no');
            }),
          ).rejects.toThrow('no');
          await tx.append(event('two'));
        });
        expect(await allTasks()).toEqual([]);
        expect((await store.history('w', 0, 10)).map((e) => e.event)).toEqual(['one', 'two']);
      });

      test('a transaction kept beyond its end is refused', async () => {
        let kept: Parameters<Parameters<Store['transaction']>[1]>[0] | undefined;
        await store.transaction('w', async (tx) => {
          kept = tx;
        });
        await expect(kept?.insert(tasks, newTask('a'))).rejects.toThrow(/transaction is over/);
      });

      test('a callback that waits for anything but tx is thrown out, and the others commit', async () => {
        const forever = Promise.withResolvers<void>();
        const results = await Promise.allSettled([
          store.transaction('w', async (tx) => {
            await tx.insert(tasks, newTask('held'));
            await forever.promise;
          }),
          store.transaction('w', (tx) => tx.insert(tasks, newTask('free'))),
        ]);
        expect(results.map((r) => r.status)).toEqual(['rejected', 'fulfilled']);
        expect((await allTasks()).map((t) => t.id)).toEqual(['free']);
        forever.resolve();
      });

      test('one that waits inside an attempt leaves nothing of what it wrote around it, either', async () => {
        const forever = Promise.withResolvers<void>();
        const results = await Promise.allSettled([
          store.transaction('w', (tx) => tx.insert(tasks, newTask('before'))),
          store.transaction('w', async (tx) => {
            await tx.insert(tasks, newTask('outer'));
            await tx.append(event('outer'));
            await tx.attempt(async () => {
              await tx.insert(tasks, newTask('inner'));
              await tx.attempt(() => forever.promise);
            });
          }),
          store.transaction('w', async (tx) => {
            await tx.append(event('after'));
            await tx.attempt(() => tx.insert(tasks, newTask('after')));
          }),
        ]);
        expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
        expect((await allTasks()).map((t) => t.id).toSorted()).toEqual(['after', 'before']);
        forever.resolve();
        await store.transaction('w', (tx) => tx.append(event('later')));
        expect((await allTasks()).map((t) => t.id).toSorted()).toEqual(['after', 'before']);
        expect((await store.history('w', 0, 10)).map((e) => e.event)).toEqual(['after', 'later']);
      });

      test('a conflict undoes its attempt alone, and the callback goes on as if it had not been', async () => {
        await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
        const seen = await store.transaction('w', async (tx) => {
          await tx.insert(tasks, newTask('b'));
          await tx.append(event('kept'));
          const refused = await tx
            .attempt(async () => {
              await tx.append(event('undone'));
              await tx.insert(tasks, newTask('c'));
              await tx.insert(tasks, newTask('a'));
            })
            .catch((error: unknown) => error);
          expect(refused).toMatchObject({ code: 'conflict' });
          await tx.insert(tasks, newTask('d'));
          return (await tx.find(tasks, { orderBy: [{ column: 'id' }] })).map(({ id }) => id);
        });
        expect(seen).toEqual(['a', 'b', 'd']);
        expect((await allTasks()).map(({ id }) => id).toSorted()).toEqual(['a', 'b', 'd']);
        expect((await store.history('w', 0, 10)).map((e) => e.event)).toEqual(['kept']);
      });

      test('a callback reads what it has written itself, the journal included', async () => {
        await store.transaction('w', async (tx) => {
          await tx.insert(tasks, newTask('a'));
          await tx.append(event('one'));
          expect(await tx.count(tasks)).toBe(1);
          expect(await tx.find(journal, { where: { event: 'one' } })).toHaveLength(1);
          const undone = tx.attempt(async () => {
            await tx.append(event('two'));
            expect(await tx.count(journal)).toBe(2);
            throw new Error('no');
          });
          await expect(undone).rejects.toThrow('no');
          expect(await tx.count(journal)).toBe(1);
          await tx.append(event('three'));
        });
        expect((await store.history('w', 0, 10)).map((e) => e.event)).toEqual(['one', 'three']);
      });

      test('a hundred at once are a hundred, each with its own number', async () => {
        const create = () =>
          store.transaction('w', async (tx) => {
            const number = await tx.next('TSK');
            await tx.insert(tasks, newTask(`t${number}`));
            await tx.append(event('task.created', { number }));
            return number;
          });
        const numbers = await Promise.all(Array.from({ length: 100 }, create));
        const all = numbers.map((_, i) => i + 1);
        expect(numbers.toSorted((a, b) => a - b)).toEqual(all);
        expect((await store.history('w', 0, 200)).map(({ seq }) => seq)).toEqual(all);
      });

      test('a look sees what is committed, at one instant', async () => {
        await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
        const [row, others, now] = await store.read('w', async (tx) => {
          return [
            await tx.get(tasks, { id: 'a' }),
            await tx.count(tasks, { id: { not: 'a' } }),
            tx.now,
          ] as const;
        });
        expect(row).toMatchObject({ id: 'a' });
        expect(others).toBe(0);
        expect(Math.abs(now.getTime() - Date.now())).toBeLessThan(60_000);
        expect(await store.read('v', (tx) => tx.count(tasks))).toBe(0);
        await expect(store.read('w', () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
      });

      test('counters count from 1, per workspace, without holes after a rollback', async () => {
        const next = (w: string) => store.transaction(w, (tx) => tx.next('TSK'));
        expect([await next('w'), await next('w'), await next('v')]).toEqual([1, 2, 1]);
        await expect(
          store.transaction('w', async (tx) => {
            await tx.next('TSK');
            throw new Error('no');
          }),
        ).rejects.toThrow('no');
        expect(await next('w')).toBe(3);
      });
    });

    test('the revision of a table is another one as soon as a row of it may be', async () => {
      const at: number[] = [];
      await store.transaction('w', async (tx) => {
        at.push(tx.revision([tasks]));
        await tx.insert(tasks, newTask('a'));
        at.push(tx.revision([tasks]));
        await tx.attempt(() => tx.insert(tasks, newTask('a'))).catch(() => undefined);
        at.push(tx.revision([tasks, receipts]));
      });
      const undone = store.transaction('w', async (tx) => {
        await tx.insert(tasks, newTask('b'));
        at.push(tx.revision([tasks]));
        throw new Error('never mind');
      });
      await expect(undone).rejects.toThrow('never mind');
      await store.transaction('w', async (tx) => at.push(tx.revision([receipts, tasks])));
      expect(new Set(at.filter((n) => !Number.isNaN(n))).size).toBe(
        at.filter((n) => !Number.isNaN(n)).length,
      );
    });

    describe('rows', () => {
      test('an update raises the version; one with an older version is refused as stale', async () => {
        const first = await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
        const second = await store.transaction('w', (tx) => tx.update(tasks, first, { title: 'new' }));
        expect(second).toMatchObject({ version: 2, title: 'new' });
        await expect(
          store.transaction('w', (tx) => tx.update(tasks, first, { title: 'old' })),
        ).rejects.toMatchObject({
          code: 'stale',
        });
        expect(await allTasks()).toMatchObject([{ title: 'new', version: 2 }]);
      });

      test('a second row with the same key is a conflict', async () => {
        await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
        await expect(
          store.transaction('w', (tx) => tx.insert(tasks, newTask('b', { ref: 'A' }))),
        ).rejects.toMatchObject({ code: 'conflict' });
      });

      test('conditions, order, limit and count', async () => {
        await store.transaction('w', async (tx) => {
          await tx.insert(tasks, newTask('a', { priority: 'P0', owner: 'ana', due: new Date(10) }));
          await tx.insert(tasks, newTask('b', { priority: 'P1', due: new Date(20), title: 'a%b' }));
          await tx.insert(tasks, newTask('c', { priority: 'P1', owner: 'ben', title: 'a%c' }));
        });
        const ids = (where: Parameters<typeof query>[0]) => query(where);
        async function query(where: Record<string, unknown>): Promise<string[]> {
          const rows = await store.transaction('w', (tx) =>
            tx.find(tasks, { where: where, orderBy: [{ column: 'id', descending: true }] }),
          );
          return rows.map((r) => r.id);
        }
        expect(await ids({ priority: 'P1' })).toEqual(['c', 'b']);
        expect(await ids({ priority: { in: ['P0', 'P1'] }, owner: { not: null } })).toEqual(['c', 'a']);
        expect(await ids({ priority: { in: [] } })).toEqual([]);
        expect(await ids({ owner: null })).toEqual(['b']);
        expect(await ids({ owner: { not: 'ana' } })).toEqual(['c', 'b']);
        expect(await ids({ due: { above: new Date(10) } })).toEqual(['b']);
        expect(await ids({ due: { atLeast: new Date(10), below: new Date(20) } })).toEqual(['a']);
        expect(await ids({ title: { prefix: 'a%' } })).toEqual(['c', 'b']);
        expect(await store.transaction('w', (tx) => tx.count(tasks, { priority: 'P1' }))).toBe(2);
        expect(await store.transaction('w', (tx) => tx.find(tasks, { limit: 1 }))).toHaveLength(1);
      });

      test('the first of each of several kinds, with conditions before and after', async () => {
        await store.transaction('w', async (tx) => {
          await tx.insert(tasks, newTask('a', { priority: 'P0', due: new Date(10), title: 'x' }));
          await tx.insert(tasks, newTask('b', { priority: 'P1', due: new Date(20), title: 'x' }));
          await tx.insert(tasks, newTask('c', { priority: 'P1', due: new Date(10), title: 'x' }));
          await tx.insert(tasks, newTask('d', { priority: 'P2', due: new Date(10), title: 'x' }));
        });
        await store.transaction('other', (tx) =>
          tx.insert(tasks, newTask('0', { priority: 'P1', title: 'x' })),
        );
        const query = async (where: object, of: object) => {
          const orderBy = [{ column: 'id' }] as const;
          const rows = await store.read('w', (tx) =>
            tx.find(tasks, { where, first: { by: 'priority', of }, orderBy, limit: 9 }),
          );
          return rows.map(({ id }) => id);
        };
        const due = { due: { atMost: new Date(10) } };
        expect(await query({}, {})).toEqual(['a', 'b', 'd']);
        expect(await query(due, {})).toEqual(['a', 'd']);
        expect(await query({}, due)).toEqual(['a', 'c', 'd']);
        expect(await query({ priority: { in: ['P1', 'P2'] } }, { title: 'x', ...due })).toEqual(['c', 'd']);
      });

      test('remove deletes what matches and refuses to delete everything', async () => {
        await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
        await expect(store.transaction('w', (tx) => tx.remove(tasks, {}))).rejects.toThrow(
          /needs a condition/,
        );
        expect(await store.transaction('w', (tx) => tx.remove(tasks, { id: 'a' }))).toBe(1);
        expect(await allTasks()).toEqual([]);
      });

      test('text sorts by its bytes, numbers are whole up to 2^53, JSON keeps its keys in order', async () => {
        const refs = ['b', 'B', 'a-1', 'a_1', 'a1', 'Z', 'ä', '10', '9'];
        await store.transaction('w', async (tx) => {
          for (const [i, ref] of refs.entries()) await tx.insert(tasks, newTask(`t${i}`, { ref }));
          const answer = { z: 1, a: { y: [1, null, 'x'], b: 2 } };
          await tx.insert(receipts, { id: 'k', digest: 'd', answer, expiresAt: new Date(8.64e15) });
          await tx.insert(leases, {
            id: 'l',
            holder: 'x',
            fence: Number.MAX_SAFE_INTEGER,
            expiresAt: new Date(0),
          });
        });
        const sorted = await store.read('w', (tx) => tx.find(tasks, { orderBy: [{ column: 'ref' }] }));
        expect(sorted.map(({ ref }) => ref)).toEqual(
          refs.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
        );
        const receipt = await store.read('w', (tx) => tx.get(receipts, { id: 'k' }));
        expect(JSON.stringify(receipt?.answer)).toBe('{"z":1,"a":{"y":[1,null,"x"],"b":2}}');
        expect(receipt?.expiresAt).toEqual(new Date(8.64e15));
        expect((await store.read('w', (tx) => tx.get(leases, { id: 'l' })))?.fence).toBe(
          Number.MAX_SAFE_INTEGER,
        );
      });

      test('text that looks like SQL is text', async () => {
        const title = `'; DROP TABLE tasks; -- "\\`;
        await store.transaction('w', (tx) => tx.insert(tasks, newTask('a', { title })));
        expect(await store.transaction('w', (tx) => tx.get(tasks, { title }))).toMatchObject({ title });
      });
    });

    describe('journal', () => {
      const append = (name: string, details = {}) =>
        store.transaction('w', (tx) => tx.append(event(name, details)));

      test('entries are numbered without holes and chained from the genesis', async () => {
        await Promise.all(Array.from({ length: 20 }, (_, i) => append(`e.${i}`, { i })));
        const entries = await store.history('w', 0, 100);
        let previous = GENESIS;
        entries.forEach((entry, i) => {
          expect(checkLink(entry, i + 1, previous)).toBeUndefined();
          previous = entry.hash;
        });
        expect(entries).toHaveLength(20);
        expect(await store.head('w')).toBe(20);
      });

      test('secrets are redacted before they are hashed', async () => {
        const entry = await append('key.created', {
          token: 'abc',
          text: `use sb_abcdef12_${'x'.repeat(43)}`,
        });
        expect(JSON.stringify(entry)).not.toMatch(/abc"|xxxx/);
        expect((await store.history('w', 0, 1))[0]).toEqual(entry);
      });

      test('each workspace has its own chain', async () => {
        await append('a');
        await store.transaction('v', (tx) => tx.append(event('b')));
        expect((await store.history('v', 0, 9)).map((e) => [e.seq, e.previous])).toEqual([[1, GENESIS]]);
        expect((await store.workspaces()).toSorted()).toEqual(['v', 'w']);
      });

      test('history goes on after a sequence, up to a limit', async () => {
        for (const name of ['a', 'b', 'c']) await append(name);
        expect((await store.history('w', 1, 1)).map((e) => e.event)).toEqual(['b']);
        expect(
          await store.transaction('w', (tx) => tx.find(journal, { where: { event: 'c' } })),
        ).toMatchObject([{ seq: 3 }]);
      });

      test('listeners hear each entry once, in order, after it is durable, with the tables written', async () => {
        const heard: Commit[] = [];
        store.onCommit((commit) => heard.push(commit));
        await Promise.all([
          append('a'),
          append('b'),
          store.transaction('w', (tx) => tx.insert(tasks, newTask('a'))),
        ]);
        await append('c');
        expect(heard.flatMap((c) => c.entries.map((e: JournalEntry) => e.event))).toEqual(['a', 'b', 'c']);
        expect(heard.some((c) => c.tables.has('tasks'))).toBe(true);
      });
    });

    describe('interleaved pairs', () => {
      test('two changes of one version: one wins, the other is stale', async () => {
        const row = await store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
        const change = (title: string) => store.transaction('w', (tx) => tx.update(tasks, row, { title }));
        const results = await Promise.allSettled([change('x'), change('y')]);
        expect(results.map((r) => r.status).toSorted()).toEqual(['fulfilled', 'rejected']);
      });

      test('two same keys: the second sees the first receipt', async () => {
        const once = (n: number) =>
          store.transaction('w', async (tx) => {
            const found = await tx.get(receipts, { id: 'k' });
            if (found) return found.answer;
            await tx.insert(receipts, { id: 'k', digest: 'd', answer: n, expiresAt: new Date(9) });
            return n;
          });
        expect(await Promise.all([once(1), once(2)])).toEqual([1, 1]);
      });

      test('two claims of one lease: one holder, and the fence rises with the next', async () => {
        const claim = (holder: string, now: number) =>
          store.transaction('w', async (tx) => {
            const held = await tx.get(leases, { id: 'job' });
            if (held && held.expiresAt.getTime() > now) return undefined;
            if (!held)
              return tx.insert(leases, { id: 'job', holder, fence: 1, expiresAt: new Date(now + 10) });
            return tx.update(leases, held, { holder, fence: held.fence + 1, expiresAt: new Date(now + 10) });
          });
        const both = await Promise.all([claim('a', 0), claim('b', 0)]);
        expect(both.filter(Boolean)).toHaveLength(1);
        expect(await claim('c', 20)).toMatchObject({ holder: 'c', fence: 2 });
      });

      test('the same outgoing key is queued once', async () => {
        const send = () =>
          store.transaction('w', (tx) =>
            tx.insert(outbox, {
              id: tx.id(),
              key: 'k',
              channel: 'slack',
              lane: 'slack:C',
              address: {},
              reply: {},
              state: 'queued',
              attempts: 0,
              nextAt: new Date(0),
              externalId: null,
              error: null,
              createdAt: new Date(0),
            }),
          );
        const results = await Promise.allSettled([send(), send()]);
        expect(results.map((r) => r.status).toSorted()).toEqual(['fulfilled', 'rejected']);
      });
    });

    test('after close every call is refused as unavailable', async () => {
      const last = store.transaction('w', (tx) => tx.insert(tasks, newTask('a')));
      const closed = store.close();
      await expect(last).resolves.toMatchObject({ id: 'a' } satisfies Partial<TaskRow>);
      await closed;
      await expect(store.transaction('w', async () => 1)).rejects.toMatchObject({ code: 'unavailable' });
    });
  });
}
