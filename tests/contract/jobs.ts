import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { begin, claim, renew } from '../../src/core/jobs/claiming.ts';
import { finish } from '../../src/core/jobs/finishing.ts';
import { queueJob } from '../../src/core/jobs/queueing.ts';
import { recover } from '../../src/core/jobs/recovering.ts';
import type { Store } from '../../src/core/store.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { jobs, type JobRow, type JobState } from '../../src/domain/job.ts';
import type { NewRow } from '../../src/domain/table.ts';
import { newJob } from '../support/job.ts';
import { JobProcesses } from './job-processes.ts';
import { openAny, WORK } from './job-program.ts';

/** A database under test, empty and shared by as many processes as like. */
export interface DatabaseUnderTest {
  /** A SQLite file, or the address of a PostgreSQL database. */
  readonly database: string;
  /** Loses what the engine knows of queued jobs, while the rows stay; undefined where the rows are all there is. */
  readonly forget?: () => Promise<unknown>;
  close(): Promise<void>;
}

const LEASE = 2 * SECOND;
const PROCESSES = 4;

/** What every job engine must hold, whatever the database, however many processes share it. */
export function jobsContract(name: string, create: () => Promise<DatabaseUnderTest>): void {
  describe(`job engine contract: ${name}`, () => {
    let under: DatabaseUnderTest;
    let folder: string;
    /** Two processes as far as the database is concerned. */
    let one: Store;
    let two: Store;
    let processes: JobProcesses | undefined;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
      under = await create();
      one = await openAny(under.database);
      two = await openAny(under.database);
    });
    afterEach(async () => {
      await processes?.killAll();
      processes = undefined;
      await Promise.all([one.close(), two.close()]);
      await under.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const add = (over: Partial<NewRow<typeof jobs>>[]): Promise<JobRow[]> =>
      one.transaction('main', async (tx) => {
        const rows: JobRow[] = [];
        for (const each of over) rows.push(await queueJob(tx, await tx.insert(jobs, newJob(tx, each)), {}));
        return rows;
      });
    const addOne = async (over: Partial<NewRow<typeof jobs>> = {}) => (await add([over]))[0] as JobRow;
    const take = (
      store: Store,
      {
        limit = 1,
        capabilities = ['default'],
        room = new Map<string, number>(),
        lease = LEASE,
        owner = 'w',
      } = {},
    ): Promise<JobRow[]> =>
      store.transaction('main', (tx) => claim(tx, { owner, lease }, { limit, capabilities, room }));
    const taken = async (...args: Parameters<typeof take>) => (await take(...args)).map(({ ref }) => ref);
    const rowOf = async (job: Pick<JobRow, 'id'>, store = one): Promise<JobRow> => {
      const row = await store.read('main', (tx) => tx.get(jobs, { id: job.id }));
      if (!row) throw new Error('the job is gone');
      return row;
    };
    const done = (store: Store, job: JobRow): Promise<boolean> =>
      store.transaction('main', (tx) =>
        finish(tx, job, {
          outcome: { kind: 'done', result: {} },
          runbook: WORK,
          receipts: [],
          random: () => 0,
        }),
      );
    const takeBack = (store: Store, lease = LEASE) =>
      store.transaction('main', (tx) =>
        recover(tx, { runbookOf: () => WORK, random: () => 0, lease, grace: 0 }),
      );
    const keep = (store: Store, job: JobRow) => store.transaction('main', (tx) => renew(tx, [job], LEASE));
    const started = (store: Store, job: JobRow) => store.transaction('main', (tx) => begin(tx, job, LEASE));
    const inState = (state: JobState) => one.read('main', (tx) => tx.count(jobs, { state }));
    const soon = <T>(check: () => Promise<T> | T, timeout = 15_000) =>
      vi.waitFor(check, { interval: 20, timeout });

    describe('what is given out', () => {
      test('is given once, to whoever asks first', async () => {
        const rows = await add(Array.from({ length: 40 }, () => ({})));
        const looks = await Promise.all(
          Array.from({ length: 20 }, (_, n) => take(n % 2 ? one : two, { limit: 3, owner: `w${n}` })),
        );
        const refs = looks.flat().map(({ ref }) => ref);
        expect(refs.toSorted()).toEqual(rows.map(({ ref }) => ref).toSorted());
        expect(await take(one)).toEqual([]);
      });

      test('is the most urgent, then what was queued first', async () => {
        const rows = [];
        for (const priority of [0, 9, 3, 9, 0]) rows.push(await addOne({ priority }));
        const [a, b, c, d, e] = rows.map(({ ref }) => ref);
        expect(await taken(two, { limit: 2 })).toEqual([b, d]);
        expect(await taken(one, { limit: 9 })).toEqual([c, a, e]);
      });

      test('is of equal ones what has been due longest, whenever it was asked for', async () => {
        const due = (seconds: number) => new Date(Date.now() - seconds * SECOND);
        const last = await addOne({ runAt: due(10) });
        const first = await addOne({ runAt: due(60) });
        expect(await taken(two, { limit: 1 })).toEqual([first.ref]);
        expect(await taken(one, { limit: 1 })).toEqual([last.ref]);
      });

      test('is not given before its time', async () => {
        const runAt = new Date(Date.now() + 1_500);
        const later = await addOne({ runAt, priority: 9 });
        const now = await addOne();
        expect(await taken(two, { limit: 5 })).toEqual([now.ref]);
        const got = await soon(async () => {
          const [found] = await take(two);
          if (!found) throw new Error('not due yet');
          return found;
        });
        expect(got.ref).toBe(later.ref);
        expect(got.assignedAt?.getTime()).toBeGreaterThanOrEqual(runAt.getTime());
      });

      test('goes to who offers its capability, the most urgent of several first', async () => {
        const gpu = await addOne({ capability: 'gpu', priority: 5 });
        const plain = await addOne({ priority: 1 });
        const late = await addOne({ capability: 'gpu' });
        expect(await taken(one, { capabilities: ['eu'] })).toEqual([]);
        expect(await taken(two, { capabilities: ['default', 'gpu', 'eu'], limit: 2 })).toEqual([
          gpu.ref,
          plain.ref,
        ]);
        expect(await taken(one, { limit: 5 })).toEqual([]);
        expect(await taken(two, { capabilities: ['gpu'], limit: 5 })).toEqual([late.ref]);
      });

      test('is what whoever asks can run, and others are taken in the stead of the rest', async () => {
        const strange = await add([
          { runbook: 'strange', priority: 2 },
          { runbook: 'strange', priority: 2, capability: 'gpu' },
        ]);
        const known = await add([{ priority: 1 }, {}]);
        const takes = (runbook: string) => runbook !== 'strange';
        const ask = (capabilities: readonly string[]) =>
          two.transaction('main', async (tx) =>
            (await claim(tx, { owner: 'w' }, { capabilities, limit: 1, room: new Map(), takes })).map(
              ({ ref }) => ref,
            ),
          );
        expect(await ask(['gpu'])).toEqual([]);
        expect([await ask(['default']), await ask(['default', 'gpu'])]).toEqual(
          known.map(({ ref }) => [ref]),
        );
        expect((await taken(one, { limit: 9, capabilities: ['default', 'gpu'] })).toSorted()).toEqual(
          strange.map(({ ref }) => ref).toSorted(),
        );
      });

      test('leaves what its runbook has no room for, and takes others in its stead', async () => {
        const full = { runbook: 'full', priority: 2 };
        const rows = await add([full, full, full, { priority: 1 }, {}]);
        const [a, b, c, d, e] = rows.map(({ ref }) => ref);
        expect(await taken(one, { limit: 3, room: new Map([['full', 1]]) })).toEqual([a, d, e]);
        expect(await taken(two, { limit: 3, room: new Map([['full', 0]]) })).toEqual([]);
        expect(await taken(two, { limit: 3, room: new Map([['full', 9]]) })).toEqual([b, c]);
      });

      test('is not what was cancelled at the same moment', async () => {
        const rows = await add(Array.from({ length: 10 }, () => ({})));
        const cancel = ({ id }: JobRow) =>
          two.transaction('main', async (tx) => {
            const row = await tx.get(jobs, { id });
            if (row?.state !== 'queued') return undefined;
            await tx.queue.withdraw(row);
            return (await tx.update(jobs, row, { state: 'cancelled', ticket: null })).ref;
          });
        const looks = rows.map((row, n) => (n % 2 ? taken(one) : cancel(row)));
        const [claimed, cancelled] = (await Promise.all(looks)).reduce<[string[], string[]]>(
          ([a, b], found) => (Array.isArray(found) ? [[...a, ...found], b] : [a, found ? [...b, found] : b]),
          [[], []],
        );
        const rest = await taken(one, { limit: 20 });
        expect([...claimed, ...cancelled, ...rest].toSorted()).toEqual(rows.map((r) => r.ref).toSorted());
        expect(await inState('cancelled')).toBe(cancelled.length);
      });
    });

    describe('a claim', () => {
      test('that was lost cannot be begun, renewed or finished; the one after it can', async () => {
        await addOne();
        const [first] = (await take(one, { lease: 1 })) as [JobRow];
        await soon(async () => expect(await takeBack(two, 1)).toBe(1));
        const second = await soon(async () => {
          const [again] = await take(two);
          if (!again) throw new Error('not queued yet');
          return again;
        });
        expect(second).toMatchObject({ id: first.id, attempt: 2, fence: first.fence + 1 });
        expect(await started(one, first)).toBeUndefined();
        expect(await keep(one, first)).toMatchObject({
          lost: [{ id: first.id, fence: first.fence }],
          renewed: [],
        });
        expect(await done(one, first)).toBe(false);
        expect((await rowOf(first)).state).toBe('assigned');
        expect(await keep(two, second)).toMatchObject({ lost: [], cancelled: [] });
        const running = (await started(two, second)) as JobRow;
        expect(await done(one, first)).toBe(false);
        expect(await done(two, running)).toBe(true);
        expect((await rowOf(first)).state).toBe('succeeded');
        expect(await done(one, first)).toBe(false);
      });

      test('ends once, however often its end is told', async () => {
        await addOne();
        const [job] = (await take(one)) as [JobRow];
        const running = (await started(one, job)) as JobRow;
        const ends = await Promise.all([done(one, running), done(two, running), done(one, running)]);
        expect(ends.filter(Boolean)).toHaveLength(1);
        const told = (await one.history('main', 0, 100)).filter(({ event }) => event === 'job.succeeded');
        expect(told).toHaveLength(1);
        expect(await take(two)).toEqual([]);
      });

      test('that is renewed in time is nobody else’s', async () => {
        await addOne();
        const [job] = (await take(one, { lease: LEASE / 2 })) as [JobRow];
        expect(await keep(one, job)).toMatchObject({ lost: [], renewed: [{ id: job.id }] });
        expect((await rowOf(job, two)).leaseUntil?.getTime()).toBeGreaterThan(
          job.leaseUntil?.getTime() ?? Number.POSITIVE_INFINITY,
        );
        expect(await takeBack(two)).toBe(0);
        expect(await take(two)).toEqual([]);
      });
    });

    test('what the engine lost of queued jobs is put back, once', async () => {
      const rows = await add([{}, { capability: 'gpu' }, { priority: 3 }]);
      const [claimed] = (await take(one)) as [JobRow];
      await under.forget?.();
      const mend = (store: Store) => store.transaction('main', (tx) => tx.queue.mend());
      expect((await mend(one)) + (await mend(two))).toBe(under.forget ? 2 : 0);
      const found = await taken(two, { limit: 9, capabilities: ['default', 'gpu'] });
      expect([...found, claimed.ref].toSorted()).toEqual(rows.map(({ ref }) => ref).toSorted());
      expect(await take(one)).toEqual([]);
    });

    describe(`with ${PROCESSES} worker processes`, () => {
      const startAll = async (lease: number): Promise<JobProcesses> => {
        const workers = new JobProcesses(under.database, folder);
        processes = workers;
        await Promise.all(Array.from({ length: PROCESSES }, (_, n) => workers.start(`w${n}`, lease)));
        return workers;
      };

      test('every job runs once, and all of them share the work', async () => {
        // Longer than any process waits for its turn, however busy the machine is.
        const workers = await startAll(30 * SECOND);
        const rows = await add(Array.from({ length: PROCESSES * 4 }, () => ({ args: { hold: true } })));
        await soon(() => expect(workers.begun).toHaveLength(rows.length));
        expect(new Set(workers.begun.map(({ owner }) => owner)).size).toBe(PROCESSES);
        workers.openGate();
        for (let n = 0; n < 10; n += 1) rows.push(...(await add(Array.from({ length: 20 }, () => ({})))));
        await soon(async () => expect(await inState('succeeded')).toBe(rows.length));
        const { begun } = workers;
        expect(begun.map(({ job }) => job).toSorted()).toEqual(rows.map(({ ref }) => ref).toSorted());
      }, 30_000);

      test('one that is killed has its jobs run by the others within the lease and five seconds', async () => {
        const workers = await startAll(LEASE);
        const rows = await add(Array.from({ length: PROCESSES * 4 }, () => ({ args: { hold: true } })));
        await soon(() => expect(workers.ran).toHaveLength(rows.length));
        const lost = workers.ran.flatMap(({ owner, job }) => (owner === 'w0' ? [job] : []));
        expect(lost.length).toBeGreaterThan(0);
        await workers.kill('w0');
        const killed = Date.now();
        // The others are let go on, so that they have room for what it left.
        workers.openGate();
        await soon(async () => expect(await inState('succeeded')).toBe(rows.length));
        expect(Date.now() - killed).toBeLessThan(LEASE + 5 * SECOND);
        const tries = workers.begun.map(({ job, attempt }) => `${job} ${attempt}`);
        expect(new Set(tries).size).toBe(tries.length);
        const again = workers.begun.filter(({ owner, attempt }) => owner !== 'w0' && attempt > 1);
        expect(again.map(({ job }) => job)).toEqual(expect.arrayContaining(lost));
        const ended = (await one.history('main', 0, 1_000)).filter(({ event }) => event === 'job.succeeded');
        expect(new Set(ended.map(({ target }) => target)).size).toBe(rows.length);
        expect(ended).toHaveLength(rows.length);
      }, 30_000);
    });
  });
}
