import { afterEach, describe, expect, test, vi } from 'vitest';
import { claim, LEASE } from '../../src/core/jobs/claiming.ts';
import { queueJob } from '../../src/core/jobs/queueing.ts';
import { HOUR, MINUTE, SECOND } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import type { Where } from '../../src/domain/table.ts';
import { events, job, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import { newJob } from '../support/job.ts';
import { testRunbook, tries } from '../support/runbook.ts';
import { controlled, soon } from './support.ts';
import { busy, release, step, world, type World } from './steps/world.ts';

const ONE = { capabilities: ['default'], limit: 1, room: new Map() };
/** So long that it is not over while a test lasts, by its clock. */
const grace = 2 * SECOND;

describe.each(DATABASES)('on %s a clock that jumps', (_database, open) => {
  let w: World;
  afterEach(() => w.close());
  const plain = async () => {
    w = await world(release([step('build')]), open);
    const runbook = testRunbook({ name: 'plain', tries: tries({ max: 3, backoff: SECOND }) });
    (w.h.catalog.runbooks as Map<string, Runbook>).set('plain', runbook);
  };
  const run = (text = 'job run plain') => w.h.run('ben', text);
  const due = async (ref = 'JOB-1') => (await job(w.h, ref)).runAt.getTime() - w.h.clock.now().getTime();

  test('forward takes no job from a worker that lives, and does take it from one that is gone', async () => {
    await plain();
    const one = controlled();
    await run();
    await w.h.store.transaction('main', (tx) => claim(tx, { owner: 'gone', begin: true }, ONE));
    const live = w.worker({ execute: one.execute, grace });
    await run();
    const first = await one.nth(1);
    await w.state('running', 'JOB-2');
    const other = w.worker({ execute: controlled().execute, owner: 'w2', grace });
    w.h.clock.pass(HOUR);
    other.wake();
    // Each is given time to come back for its claim.
    const until = new Date(w.h.clock.now().getTime() + grace);
    await soon(async () => expect((await job(w.h)).graceUntil).toEqual(until));
    live.wake();
    const renewed = new Date(w.h.clock.now().getTime() + LEASE);
    await soon(async () => expect((await job(w.h, 'JOB-2')).leaseUntil).toEqual(renewed));
    w.h.clock.pass(grace + 1);
    other.wake();
    await soon(async () => expect(await job(w.h)).toMatchObject({ state: 'running', attempt: 2 }));
    expect(await job(w.h, 'JOB-2')).toMatchObject({ state: 'running', fence: 1, attempt: 1 });
    expect(first.signal.aborted).toBe(false);
  });

  test('forward has all that a lost worker held come back together, however much that is', async () => {
    await plain();
    await w.h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 250; n += 1)
        await queueJob(tx, await tx.insert(jobs, newJob(tx, { runbook: 'plain', runAt: tx.now })), {});
      await claim(tx, { owner: 'gone', begin: true }, { ...ONE, limit: 250 });
    });
    w.h.clock.pass(LEASE + 1);
    // It looks when it is told to, and not each second besides.
    const timers = vi.spyOn(globalThis, 'setInterval').mockReturnValue(undefined as never);
    const other = w.worker({ execute: controlled().execute, owner: 'w2', grace, concurrency: 1 });
    timers.mockRestore();
    const held = (where: Where<typeof jobs>) =>
      w.h.store.read('main', (tx) => tx.count(jobs, { ...where, leaseOwner: 'gone' }));
    await soon(async () => expect(await held({ graceUntil: null })).toBe(0));
    w.h.clock.pass(grace + 1);
    other.wake();
    await soon(async () => expect(await held({})).toBe(0));
  });

  test('back leaves no claim that never ends, and takes nothing from a worker that lives', async () => {
    await plain();
    const { execute, nth } = controlled();
    await run();
    await w.h.store.transaction('main', (tx) => claim(tx, { owner: 'gone', begin: true }, ONE));
    const live = w.worker({ execute });
    await run();
    const first = await nth(1);
    await w.state('running', 'JOB-2');
    w.h.clock.pass(-HOUR);
    const most = w.h.clock.now().getTime() + LEASE;
    const two = w.worker({ execute: controlled().execute, owner: 'w2' });
    live.wake();
    await soon(async () => {
      const found = await rows(w.h, jobs, { where: { state: 'running' } });
      expect(found.every((row) => (row.leaseUntil?.getTime() ?? 0) <= most)).toBe(true);
    });
    two.wake();
    expect(first.signal.aborted).toBe(false);
    expect(await job(w.h, 'JOB-2')).toMatchObject({ state: 'running', fence: 1 });
  });

  test('back leaves no try waiting for longer than it was to', async () => {
    await plain();
    w.answer('plain', busy);
    const worker = w.worker();
    await run();
    await w.state('queued');
    expect(await due()).toBe(SECOND);
    w.h.clock.pass(-HOUR);
    worker.wake();
    await soon(async () => expect(await due()).toBe(SECOND));
    expect(await events(w.h, /^job\.put_right$/)).toMatchObject([{ target: 'JOB-1' }]);
    w.h.clock.pass(SECOND);
    worker.wake();
    await w.state('succeeded');
  });

  test('back lets what is due run at once, and a time that was asked for stand', async () => {
    await plain();
    await run();
    await run('job run plain --in 2h');
    w.h.clock.pass(-HOUR);
    w.worker();
    await w.state('succeeded');
    expect(await due('JOB-2')).toBe(3 * HOUR);
  });

  test('back leaves no step waiting for longer than it was to', async () => {
    const pause = { name: 'pause', wait: { kind: 'time', duration: MINUTE } } as const;
    w = await world(release([pause]), open);
    const worker = w.worker();
    await run('job run release');
    await w.state('waiting');
    w.h.clock.pass(-HOUR);
    worker.wake();
    await soon(async () =>
      expect((await job(w.h)).waitUntil?.getTime()).toBe(w.h.clock.now().getTime() + MINUTE),
    );
    w.h.clock.pass(MINUTE);
    await w.waits().look();
    await w.state('succeeded');
  });
});
