import { describe, expect, test } from 'vitest';
import { SECOND } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import { outbox } from '../../src/domain/records.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { begin, claim, LEASE } from '../../src/core/jobs/claiming.ts';
import { events, job, onSlack, outgoing, rows } from '../core/support.ts';
import { controlled, now, soon, workerBench } from './support.ts';

const ONE = { capabilities: ['default'], limit: 1, room: new Map() };

const bench = workerBench();
const { start, ask, state, expectState } = bench;
const told = async () => (await events(bench.h, /^job\./)).map((e) => e.event);
const done = { kind: 'done', result: {} } as const;

describe('a job', () => {
  test('runs once, and its way is journalled under the correlation id it was asked with', async () => {
    const { execute, nth, tries } = controlled();
    const worker = start(execute);
    await bench.h.run('', 'job run restart', { ...onSlack('ben'), correlationId: 'corr-1' });
    const first = await nth(1);
    expect(first).toMatchObject({ attempt: 1, args: {}, runbook: { name: 'restart' } });
    await expectState('running');
    first.end({ kind: 'done', result: { exitCode: 0 } });
    await expectState('succeeded');
    expect(await told()).toEqual(['job.queued', 'job.assigned', 'job.started', 'job.succeeded']);
    expect((await events(bench.h, /^job\./)).map((e) => e.correlationId)).toEqual(Array(4).fill('corr-1'));
    expect(await job(bench.h)).toMatchObject({
      attempt: 1,
      result: { exitCode: 0 },
      error: null,
      leaseOwner: null,
    });
    expect((await outgoing(bench.h))['job:JOB-1:4:end']).toBe('JOB-1 succeeded: restart\n{"exitCode":0}');
    const [message] = await rows(bench.h, outbox, { where: { key: 'job:JOB-1:4:end' } });
    expect(message?.address).toEqual({ channel: 'slack', to: 'C1', thread: '1.2' });
    expect(worker.ended).toMatchObject([[{ ref: 'JOB-1' }, { kind: 'done' }]]);
    worker.wake();
    await worker.stop(now());
    expect(tries).toHaveLength(1);
  });

  test('that waits for an approval runs when it is there', async () => {
    const { execute, nth, tries } = controlled();
    start(execute);
    await bench.h.run('ana', 'job run deploy --env staging');
    await bench.h.run('ben', 'approve APR-1');
    expect(tries).toHaveLength(0);
    await bench.h.run('cho', 'approve APR-1');
    expect(await nth(1)).toMatchObject({ args: { env: 'staging' }, runbook: { name: 'deploy' } });
  });

  test('is started by one of two workers', async () => {
    const one = controlled();
    const two = controlled();
    start(one.execute);
    start(two.execute, { owner: 'w2' });
    for (let n = 0; n < 6; n += 1) await ask();
    await soon(() => expect(one.tries.length + two.tries.length).toBe(6));
    const keys = [...one.tries, ...two.tries].map((t) => t.idempotencyKey);
    expect(new Set(keys).size).toBe(6);
  });

  test('waits while as many run as may', async () => {
    const { execute, nth, tries } = controlled();
    start(execute, { concurrency: 2 });
    for (let n = 0; n < 3; n += 1) await ask();
    (await nth(2)).end(done);
    await nth(3);
    expect(tries.map((t) => t.attempt)).toEqual([1, 1, 1]);
    expect((await rows(bench.h, outbox)).length).toBe(0);
  });
});

test('what was approved is what runs, at a later try too', async () => {
  const { execute, nth, tries } = controlled();
  const worker = start(execute);
  await bench.h.run('ana', 'job run deploy --env staging');
  await bench.h.run('ben', 'approve APR-1');
  await bench.h.run('cho', 'approve APR-1');
  (await nth(1)).end({ kind: 'retry', reason: 'busy' });
  await expectState('queued');
  const runbooks = bench.h.catalog.runbooks as Map<string, Runbook>;
  runbooks.set('deploy', { ...(runbooks.get('deploy') as Runbook), risk: 'read' });
  bench.h.clock.pass(SECOND);
  worker.wake();
  await expectState('failed');
  expect((await job(bench.h)).error).toContain('deploy was changed since APR-1 was given');
  expect(tries).toHaveLength(1);
});

describe('a try that did not work', () => {
  test('is repeated after a wait that doubles, with the same idempotency key, until none is left', async () => {
    const { execute, nth } = controlled();
    const worker = start(execute);
    await ask();
    const first = await nth(1);
    first.end({ kind: 'retry', reason: 'busy' });
    await expectState('queued');
    expect(await job(bench.h)).toMatchObject({
      attempt: 1,
      error: 'busy',
      runAt: new Date(bench.h.clock.now().getTime() + SECOND),
    });
    bench.h.clock.pass(SECOND - 1);
    worker.wake();
    expect(await state()).toBe('queued');
    bench.h.clock.pass(1);
    worker.wake();
    const second = await nth(2);
    expect(second).toMatchObject({ attempt: 2, idempotencyKey: first.idempotencyKey });
    second.end({ kind: 'retry', reason: 'still busy' });
    await expectState('failed');
    expect((await job(bench.h)).error).toBe('still busy');
    expect(await told()).toEqual([
      'job.queued',
      'job.assigned',
      'job.started',
      'job.retrying',
      'job.assigned',
      'job.started',
      'job.failed',
      'job.dead',
    ]);
  });

  test('waits as long as the far side asked, a day at most', async () => {
    const { execute, nth } = controlled();
    start(execute);
    await ask();
    (await nth(1)).end({ kind: 'retry', reason: 'busy', after: 400 * 24 * 3_600 * SECOND });
    await expectState('queued');
    expect((await job(bench.h)).runAt.getTime() - bench.h.clock.now().getTime()).toBe(24 * 3_600 * SECOND);
  });

  test('for good is not repeated', async () => {
    const { execute, nth } = controlled();
    start(execute);
    await ask();
    (await nth(1)).end({ kind: 'fail', reason: 'exit code 1', result: { exitCode: 1 } });
    await expectState('failed');
    expect(await job(bench.h)).toMatchObject({ attempt: 1, error: 'exit code 1', result: { exitCode: 1 } });
  });

  test('because the executor broke is repeated, and tells nothing of the inside', async () => {
    const { execute, nth } = controlled();
    start(execute);
    await ask();
    (await nth(1)).end(new Error('password=hunter2'));
    await expectState('queued');
    expect((await job(bench.h)).error).toBe('the executor failed unexpectedly; see the server log');
  });
});

describe('a cancel', () => {
  test('reaches what runs at once', async () => {
    const { execute, nth } = controlled();
    start(execute);
    await ask();
    const first = await nth(1);
    expect((await bench.h.run('ben', 'job cancel JOB-1')).reply.text).toBe('JOB-1 is being stopped.');
    await expectState('cancelled');
    expect(first.signal.aborted).toBe(true);
    expect(await told()).toEqual([
      'job.queued',
      'job.assigned',
      'job.started',
      'job.cancelling',
      'job.cancelled',
    ]);
  });

  test('between claim and start lets nothing start', async () => {
    await ask();
    const [claimed] = await bench.h.store.transaction('main', (tx) => claim(tx, { owner: 'w1' }, ONE));
    if (!claimed) throw new Error('not claimed');
    await bench.h.run('ben', 'job cancel JOB-1');
    expect(await bench.h.store.transaction('main', (tx) => begin(tx, claimed))).toBeUndefined();
    expect(await state()).toBe('cancelled');
  });

  test('at the same time as the claim: either it never starts, or it is stopped', async () => {
    const { execute } = controlled();
    await ask();
    const worker = start(execute);
    worker.wake();
    const answer = await bench.h.run('ben', 'job cancel JOB-1');
    expect(answer.status).toBe('ok');
    await expectState('cancelled');
  });

  test('that comes when the work is already done changes nothing of what was done', async () => {
    const { execute, nth } = controlled(false);
    start(execute);
    await ask();
    const first = await nth(1);
    await bench.h.run('ben', 'job cancel JOB-1');
    first.end(done);
    await expectState('succeeded');
  });

  test('of a try that fails then takes away the tries that are left', async () => {
    const { execute, nth, tries } = controlled(false);
    start(execute);
    await ask();
    const first = await nth(1);
    await bench.h.run('ben', 'job cancel JOB-1');
    first.end({ kind: 'retry', reason: 'busy' });
    await expectState('cancelled');
    expect(tries).toHaveLength(1);
  });
});

describe('a worker that is lost', () => {
  test('loses its claim, another takes over, and its late result is dropped', async () => {
    const lost = controlled(false);
    const one = start(lost.execute);
    await ask();
    const first = await lost.nth(1);
    await expectState('running');
    bench.h.clock.pass(LEASE + 1);
    const other = controlled();
    start(other.execute, { owner: 'w2' });
    const second = await other.nth(1);
    expect(second).toMatchObject({ attempt: 2, idempotencyKey: first.idempotencyKey });
    // The lost one is told to stop, does not, and comes with a result of its own.
    await soon(() => expect(first.signal.aborted).toBe(true));
    first.end({ kind: 'done', result: { by: 'the lost one' } });
    await expectState('running');
    second.end({ kind: 'done', result: { by: 'the other' } });
    await expectState('succeeded');
    await one.stop(now());
    expect(await job(bench.h)).toMatchObject({ result: { by: 'the other' }, fence: 2 });
    expect(one.ended).toEqual([]);
    expect(await told()).toContain('job.retrying');
    expect((await told()).filter((e) => e === 'job.succeeded')).toHaveLength(1);
  });

  test('stops a try whose job is over by another’s hand, with the same fence', async () => {
    const { execute, nth } = controlled();
    const worker = start(execute);
    await ask();
    const first = await nth(1);
    await expectState('running');
    const row = await job(bench.h);
    await bench.h.store.transaction('main', (tx) =>
      tx.update(jobs, row, { state: 'failed', leaseUntil: null }),
    );
    worker.wake();
    await soon(() => expect(first.signal.aborted).toBe(true));
    expect(await job(bench.h)).toMatchObject({ state: 'failed', fence: row.fence });
  });

  test('on the last try leaves a job that failed', async () => {
    await ask();
    for (let n = 0; n < 2; n += 1) {
      await bench.h.store.transaction('main', (tx) => claim(tx, { owner: 'gone' }, ONE));
      bench.h.clock.pass(LEASE + 1);
      if (n === 0) {
        const worker = start(controlled().execute, { concurrency: 0 });
        await expectState('queued');
        await worker.stop(now());
      }
    }
    start(controlled().execute);
    await expectState('failed');
    expect((await job(bench.h)).error).toBe('the worker that ran it was lost');
  });

  test('while a cancel was asked for leaves one that is cancelled', async () => {
    await ask();
    await bench.h.store.transaction('main', (tx) => claim(tx, { owner: 'gone' }, ONE));
    await bench.h.run('ben', 'job cancel JOB-1');
    bench.h.clock.pass(LEASE + 1);
    start(controlled().execute);
    await expectState('cancelled');
  });

  test('is not one that renews in time', async () => {
    const { execute, nth } = controlled();
    const one = start(execute);
    await ask();
    await nth(1);
    await expectState('running');
    const other = controlled();
    const two = start(other.execute, { owner: 'w2' });
    for (let n = 0; n < 4; n += 1) {
      bench.h.clock.pass(LEASE * 0.6);
      const fresh = new Date(bench.h.clock.now().getTime() + LEASE);
      one.wake();
      await soon(async () => expect((await job(bench.h)).leaseUntil).toEqual(fresh));
      two.wake();
    }
    expect(other.tries).toEqual([]);
    expect(await job(bench.h)).toMatchObject({ state: 'running', fence: 1, attempt: 1 });
  });
});

describe('a stop', () => {
  test('waits for what runs', async () => {
    const { execute, nth } = controlled();
    const worker = start(execute);
    await ask();
    const first = await nth(1);
    const deadline = new AbortController();
    const stopped = worker.stop(deadline.signal);
    first.end(done);
    await stopped;
    expect(await state()).toBe('succeeded');
  });

  test('gives back at its deadline what still runs; the try counts, as it may have had effects', async () => {
    const { execute, nth } = controlled();
    const worker = start(execute);
    await ask();
    await nth(1);
    await expectState('running');
    const deadline = new AbortController();
    const stopped = worker.stop(deadline.signal);
    deadline.abort();
    await stopped;
    expect(await job(bench.h)).toMatchObject({ state: 'queued', attempt: 1, leaseOwner: null });
    expect((await events(bench.h, /^job\./)).at(-1)).toMatchObject({
      event: 'job.retrying',
      details: { reason: 'its worker was stopped while it ran' },
    });
    const next = controlled();
    const other = start(next.execute, { owner: 'w2' });
    expect(await next.nth(1)).toMatchObject({ attempt: 2 });
    await expectState('running');
    await other.stop(now());
    expect(await job(bench.h)).toMatchObject({
      state: 'failed',
      error: 'its worker was stopped while it ran',
    });
  });

  test('gives nothing back that was to be cancelled', async () => {
    const { execute, nth } = controlled(false);
    const worker = start(execute);
    await ask();
    const first = await nth(1);
    const stopped = worker.stop(now());
    await bench.h.run('ben', 'job cancel JOB-1');
    first.end({ kind: 'cancelled' });
    await stopped;
    expect(await state()).toBe('cancelled');
  });

  test('takes nothing more', async () => {
    const { execute, tries } = controlled();
    const worker = start(execute);
    await worker.stop(now());
    await ask();
    worker.wake();
    await worker.stop(now());
    expect(tries).toEqual([]);
    expect(await state()).toBe('queued');
  });
});
