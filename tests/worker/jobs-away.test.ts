import { describe, expect, test, vi } from 'vitest';
import { LEASE } from '../../src/core/jobs/claiming.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import { effects } from '../../src/domain/records.ts';
import { job, rows } from '../core/support.ts';
import { controlled, flaky, now, soon, workerBench } from './support.ts';

const bench = workerBench();
const { start, ask, state, expectState } = bench;
const done = { kind: 'done', result: {} } as const;
const EFFECT = {
  kind: 'http',
  target: 'POST https://far.example.test',
  outcome: '200',
  result: null,
} as const;

describe('a database that is away', () => {
  test('when the work is done: result and last lines are written as soon as it is back, and it runs once', async () => {
    const { execute, nth, tries } = controlled();
    const away = flaky(bench.h.store);
    start(execute, { store: away.store });
    await ask();
    const first = await nth(1);
    away.away = true;
    first.log('out', 'last words');
    first.end(done);
    await soon(() => expect(away.refused).toBeGreaterThan(1));
    away.away = false;
    await expectState('succeeded');
    expect((await bench.h.run('ben', 'job logs JOB-1')).reply.text).toBe('last words');
    expect(tries).toHaveLength(1);
  });

  test('for longer than any claim holds: the result is written all the same, and nobody took it meanwhile', async () => {
    const { execute, nth, tries } = controlled(false);
    const away = flaky(bench.h.store);
    start(execute, { store: away.store, lease: 200 });
    await ask();
    const first = await nth(1);
    away.away = true;
    first.effect({ ...EFFECT, startedAt: bench.h.clock.now(), endedAt: bench.h.clock.now() });
    first.end(done);
    bench.h.clock.pass(LEASE + SECOND);
    await soon(() => expect(away.refused).toBeGreaterThan(16));
    away.away = false;
    await expectState('succeeded');
    expect(tries).toHaveLength(1);
    expect(await rows(bench.h, effects)).toHaveLength(1);
  });

  test('when its answer is lost: what took place is not written once more', async () => {
    const { execute, nth } = controlled();
    const far = flaky(bench.h.store);
    const worker = start(execute, { store: far.store });
    await ask();
    const first = await nth(1);
    first.effect({ ...EFFECT, startedAt: bench.h.clock.now(), endedAt: bench.h.clock.now() });
    far.deaf = true;
    first.end({ ...done, usage: { units: { tokens: 7 }, cost: 0 } });
    await soon(() => expect(far.refused).toBeGreaterThan(2));
    far.deaf = false;
    await soon(() => expect(worker.ended).toHaveLength(1));
    expect(await rows(bench.h, effects)).toHaveLength(1);
    expect(await job(bench.h)).toMatchObject({ state: 'succeeded', usage: { units: { tokens: 7 } } });
  });

  test.each([0, 2])(
    'before it answers what was claimed (%i claimed ahead): that is claimed again at once, and no try is used up',
    async (prefetch) => {
      const { execute, nth, tries } = controlled();
      const far = flaky(bench.h.store);
      const worker = start(execute, { store: far.store, concurrency: 1, prefetch });
      await ask();
      (await nth(1)).log('out', 'the first runs');
      far.deaf = true;
      await ask();
      await ask();
      await soon(() => expect(far.refused).toBeGreaterThan(1));
      far.deaf = false;
      for (const n of [1, 2, 3]) (await nth(n)).end(done);
      await soon(() => expect(worker.ended).toHaveLength(3));
      const ended = await rows(bench.h, jobs, { where: { state: 'succeeded', attempt: 1 } });
      expect(ended).toHaveLength(3);
      expect(tries).toHaveLength(3);
    },
  );

  test('before it answers what was begun of those claimed ahead: it begins once', async () => {
    const { execute, nth, tries } = controlled();
    const far = flaky(bench.h.store);
    start(execute, { store: far.store, concurrency: 1, prefetch: 1 });
    await ask();
    await ask();
    const first = await nth(1);
    await expectState('assigned', 'JOB-2');
    far.deaf = true;
    first.end(done);
    await expectState('running', 'JOB-2');
    far.deaf = false;
    (await nth(2)).end(done);
    await expectState('succeeded', 'JOB-2');
    expect((await job(bench.h, 'JOB-2')).attempt).toBe(1);
    expect(tries).toHaveLength(2);
  });

  test('for so long that another has it: the receipt of what was done is kept, and nothing else', async () => {
    const { execute, nth } = controlled(false);
    const away = flaky(bench.h.store);
    start(execute, { store: away.store });
    await ask();
    const first = await nth(1);
    away.away = true;
    first.effect({ ...EFFECT, startedAt: bench.h.clock.now(), endedAt: bench.h.clock.now() });
    first.end(done);
    bench.h.clock.pass(LEASE + SECOND);
    const next = controlled();
    start(next.execute, { owner: 'w2' });
    expect(await next.nth(1)).toMatchObject({ attempt: 2 });
    away.away = false;
    await soon(async () =>
      expect(await rows(bench.h, effects)).toMatchObject([{ attempt: 1, outcome: '200' }]),
    );
    expect(await job(bench.h)).toMatchObject({ state: 'running', attempt: 2, leaseOwner: 'w2' });
  });

  test('while it runs: it is stopped before another may claim it, and goes on when the database is back', async () => {
    const { execute, nth, tries } = controlled();
    const away = flaky(bench.h.store);
    start(execute, { store: away.store, lease: 800 });
    await ask();
    const first = await nth(1);
    const began = performance.now();
    away.away = true;
    await soon(() => expect(first.signal.aborted).toBe(true));
    expect(first.signal.reason).toBe('lost');
    expect(performance.now() - began).toBeLessThan(800);
    away.away = false;
    expect(await nth(2)).toMatchObject({ attempt: 2, idempotencyKey: first.idempotencyKey });
    expect(tries).toHaveLength(2);
  });

  test('leaves the others time to come back for their claims', async () => {
    const [one, two] = [controlled(false), controlled()];
    const [away, other] = [flaky(bench.h.store), flaky(bench.h.store)];
    start(one.execute, { store: away.store });
    await ask();
    const first = await one.nth(1);
    other.away = true;
    start(two.execute, { store: other.store, owner: 'w2', grace: 2 * SECOND });
    away.away = true;
    first.end(done);
    bench.h.clock.pass(LEASE + SECOND);
    await soon(() => expect(Math.min(away.refused, other.refused)).toBeGreaterThan(1));
    other.away = false;
    const looked = vi.spyOn(bench.h.store, 'read');
    await soon(() => expect(looked).toHaveBeenCalled());
    away.away = false;
    await expectState('succeeded');
    expect(two.tries).toEqual([]);
  });

  test('when the worker is stopped ends its stop, and leaves the result to whoever runs it again', async () => {
    const { execute, nth } = controlled(false);
    const away = flaky(bench.h.store);
    const worker = start(execute, { store: away.store });
    await ask();
    const first = await nth(1);
    away.away = true;
    first.end(done);
    await soon(() => expect(away.refused).toBeGreaterThan(1));
    await worker.stop(now());
    expect(await state()).toBe('running');
  });

  test('when it looks for work does not end it', async () => {
    const { execute, nth } = controlled();
    const away = flaky(bench.h.store);
    const worker = start(execute, { store: away.store });
    away.away = true;
    await ask();
    await soon(() => expect(away.refused).toBeGreaterThan(0));
    away.away = false;
    worker.wake();
    await nth(1);
  });

  test('shows in how long ago the queue was reached', async () => {
    const away = flaky(bench.h.store);
    away.away = true;
    const worker = start(controlled().execute, { store: away.store });
    const at = performance.now() + 20 * SECOND;
    const clock = vi.spyOn(performance, 'now').mockReturnValue(at);
    await soon(() => expect(away.refused).toBeGreaterThan(0));
    expect(worker.sinceLook).toBeGreaterThan(19 * SECOND);
    away.away = false;
    clock.mockReturnValue(at + SECOND);
    worker.wake();
    await soon(() => expect(worker.sinceLook).toBe(0));
  });
});
