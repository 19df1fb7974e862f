import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LEASE } from '../../src/core/jobs/claiming.ts';
import { DAY } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { jobs } from '../../src/domain/job.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import type { Store } from '../../src/core/store.ts';
import { openPostgres } from '../../src/store/postgres/store.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import type { JobWorker } from '../../src/worker/jobs.ts';
import { job, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { createDatabase } from '../support/postgres.ts';
import { bounds, testRunbook } from '../support/runbook.ts';
import { controlled, jobWorker, now, soon } from './support.ts';

const done = { kind: 'done', result: {} } as const;

let h: Harness;
const workers: JobWorker[] = [];
beforeEach(async () => {
  h = await createHarness({
    jobs: { concurrency: 3, queued: 100, depth: 5, causedPerHour: 60, keepLogs: 30 * DAY },
  });
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop(now())));
  await h.close();
});

const start = (
  ...[execute, over]: Parameters<typeof jobWorker> extends [Harness, ...infer R] ? R : never
) => {
  const worker = jobWorker(h, execute, over);
  workers.push(worker);
  worker.start();
  return worker;
};
const runbook = (name: string, over: Partial<Runbook>) =>
  (h.catalog.runbooks as Map<string, Runbook>).set(name, testRunbook({ name, ...over }));
const ask = async (times: number, name = 'restart') => {
  for (let n = 0; n < times; n += 1) expect((await h.run('ben', `job run ${name}`)).status).toBe('ok');
};
const states = async () => (await rows(h, jobs, { orderBy: [{ column: 'id' }] })).map((row) => row.state);

describe('concurrency', () => {
  test('of a runbook holds over all workers, and an end anywhere makes room', async () => {
    runbook('restart', { bounds: bounds({ concurrency: 1 }) });
    runbook('backup', {});
    const one = controlled();
    const two = controlled();
    start(one.execute);
    start(two.execute, { owner: 'w2' });
    await ask(2);
    await ask(1, 'backup');
    await soon(async () => expect((await states()).toSorted()).toEqual(['queued', 'running', 'running']));
    const of = (name: string) => [...one.tries, ...two.tries].filter((each) => each.runbook.name === name);
    await soon(() => expect([of('restart').length, of('backup').length]).toEqual([1, 1]));
    of('restart')[0]?.end(done);
    await soon(() => expect(of('restart')).toHaveLength(2));
    expect((await states()).toSorted()).toEqual(['running', 'running', 'succeeded']);
  });

  test('of the workspace holds over all workers', async () => {
    const one = controlled();
    const two = controlled();
    start(one.execute);
    start(two.execute, { owner: 'w2' });
    await ask(5);
    await soon(async () => expect((await states()).filter((state) => state === 'running')).toHaveLength(3));
    [...one.tries, ...two.tries][0]?.end(done);
    await soon(() => expect(one.tries.length + two.tries.length).toBe(4));
  });
});

describe('what is claimed ahead', () => {
  test('begins as soon as there is room, in order', async () => {
    const { execute, nth, tries } = controlled();
    start(execute, { concurrency: 1, prefetch: 2 });
    await ask(5);
    const first = await nth(1);
    await soon(async () =>
      expect(await states()).toEqual(['running', 'assigned', 'assigned', 'queued', 'queued']),
    );
    first.end(done);
    const second = await nth(2);
    await soon(async () =>
      expect(await states()).toEqual(['succeeded', 'running', 'assigned', 'assigned', 'queued']),
    );
    expect(tries).toHaveLength(2);
    second.end(done);
    await nth(3);
  });

  test('is given back at a stop, and that was no try', async () => {
    const { execute, nth } = controlled();
    const worker = start(execute, { concurrency: 1, prefetch: 1 });
    await ask(2);
    (await nth(1)).end(done);
    const second = await nth(2);
    await ask(1);
    await soon(async () => expect((await states())[2]).toBe('assigned'));
    const stopped = worker.stop(new AbortController().signal);
    second.end(done);
    await stopped;
    expect(await job(h, 'JOB-3')).toMatchObject({ state: 'queued', attempt: 0, leaseOwner: null });
  });

  test('ends at once when it is cancelled', async () => {
    const { execute, nth } = controlled();
    start(execute, { concurrency: 1, prefetch: 1 });
    await ask(2);
    await nth(1);
    await soon(async () => expect((await states())[1]).toBe('assigned'));
    await h.run('ben', 'job cancel JOB-2');
    await soon(async () => expect((await states())[1]).toBe('cancelled'));
  });
});

test('capabilities route: a worker takes what it offers and nothing else', async () => {
  runbook('train', { capability: 'gpu' });
  const plain = controlled();
  start(plain.execute);
  await ask(1, 'train');
  await ask(1);
  await plain.nth(1);
  expect(plain.tries.map((each) => each.runbook.name)).toEqual(['restart']);
  expect(await states()).toEqual(['queued', 'running']);
  const gpu = controlled();
  start(gpu.execute, { owner: 'w2', capabilities: ['gpu'] });
  expect((await gpu.nth(1)).runbook.name).toBe('train');
});

test('a run that logs more than its bound is stopped, and the stop names the bound', async () => {
  runbook('restart', { bounds: bounds({ logLines: 3 }) });
  const { execute, nth } = controlled();
  start(execute);
  await ask(1);
  const first = await nth(1);
  for (let n = 0; n < 5; n += 1) first.log('out', `line ${n}`);
  await soon(async () => expect(await states()).toEqual(['failed']));
  expect(await job(h)).toMatchObject({
    stoppedBy: 'bounds.logLines',
    error: 'more than 3 lines of output (bounds.logLines)',
  });
  expect((await h.run('ben', 'job logs JOB-1')).reply.text).toBe('line 0\nline 1\nline 2');
});

test('what a try came to and what cannot be kept fails the job; it does not run again', async () => {
  const { execute, nth, tries } = controlled();
  const { store } = h;
  const picky = new Proxy(store, {
    get(target, name) {
      if (name !== 'transaction') return (Reflect.get(target, name, target) as () => unknown).bind(target);
      const transaction: typeof store.transaction = (workspace, work) =>
        target.transaction(workspace, async (tx) => {
          const value = await work(tx);
          const row = await tx.get(jobs, { ref: 'JOB-1' });
          if (row?.state === 'succeeded') throw new Refusal('invalid_argument', 'no NUL, please');
          return value;
        });
      return transaction;
    },
  });
  start(execute, { store: picky });
  await ask(1);
  (await nth(1)).end(done);
  await soon(async () => expect(await states()).toEqual(['failed']));
  expect((await job(h)).error).toBe('what it came to cannot be kept: no NUL, please');
  expect(tries).toHaveLength(1);
});

describe('a cancel by another process', () => {
  test.each(['sqlite', 'postgres'] as const)('on %s stops what runs within two seconds', async (kind) => {
    await h.close();
    const database = kind === 'postgres' ? await createDatabase() : undefined;
    const open = async (path: string, clock: Harness['clock']): Promise<Store> =>
      database ? openPostgres({ url: database.url, clock }) : openSqlite({ path, clock });
    h = await createHarness({}, [], open);
    const { execute, nth } = controlled();
    const other = await open(h.file, h.clock);
    start(execute, { store: other });
    await ask(1);
    const first = await nth(1);
    const asked = performance.now();
    await h.run('ben', 'job cancel JOB-1');
    await soon(() => expect(first.signal.aborted).toBe(true));
    expect(performance.now() - asked).toBeLessThan(2_000);
    await soon(async () => expect(await states()).toEqual(['cancelled']));
    await Promise.all(workers.splice(0).map((worker) => worker.stop(now())));
    await other.close();
    await h.close();
    await database?.drop();
    h = await createHarness();
  });

  test('is found by looking, too, where no commit tells of it', async () => {
    const { execute, nth } = controlled();
    const deaf = new Proxy(h.store, {
      get(target, name) {
        if (name === 'onCommit') return () => () => undefined;
        return (Reflect.get(target, name, target) as () => unknown).bind(target);
      },
    });
    start(execute, { store: deaf, lease: 4 * LEASE });
    await ask(1);
    const first = await nth(1);
    const asked = performance.now();
    await h.run('ben', 'job cancel JOB-1');
    await soon(() => expect(first.signal.aborted).toBe(true));
    expect(performance.now() - asked).toBeLessThan(2_000);
  });
});

test('one worker alone is never too late', async () => {
  const counted: string[] = [];
  const { execute, nth } = controlled();
  const worker = start(execute, { concurrency: 2, counted: (what) => counted.push(what) });
  await ask(1);
  await nth(1);
  await h.run('ben', 'job run restart --in 10m');
  runbook('train', { capability: 'gpu' });
  await ask(1, 'train');
  worker.wake();
  await ask(1);
  await nth(2);
  expect(counted).toEqual([]);
});

test('idle workers look without the write lock, and one that is too late counts a conflict', async () => {
  const transactions = vi.spyOn(h.store, 'transaction');
  const counted: string[] = [];
  const { execute, nth } = controlled();
  start(execute, { counted: (what) => counted.push(what) });
  const two = start(execute, { owner: 'w2', counted: (what) => counted.push(what) });
  await soon(() => expect(transactions.mock.calls.length).toBeGreaterThan(0));
  await ask(1);
  await nth(1);
  await soon(() => expect(counted).toContain('conflict'));
  expect(counted).toEqual(['conflict']);
  await two.stop(now());
});
