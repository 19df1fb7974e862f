import { afterEach, describe, expect, test } from 'vitest';
import { LEASE } from '../../src/core/jobs/claiming.ts';
import { recover } from '../../src/core/jobs/recovering.ts';
import { deadLetters } from '../../src/domain/records.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { job, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import { testRunbook, tries } from '../support/runbook.ts';
import type { Execution } from '../../src/worker/executors/execution.ts';
import { now, soon } from './support.ts';
import { busy, release, step, untilStopped, world, type World } from './steps/world.ts';

/** Answers once the try is stopped, and says when it began. */
function held() {
  const seen: Execution[] = [];
  const answer = (execution: Execution) => {
    seen.push(execution);
    return untilStopped(execution);
  };
  return { seen, answer };
}

describe.each(DATABASES)('on %s a worker', (_database, open) => {
  let w: World;
  afterEach(() => w.close());
  const run = (text: string) => w.h.run('ben', text);
  const plain = () => {
    const one = testRunbook({ name: 'plain', tries: tries({ max: 5 }) });
    (w.h.catalog.runbooks as Map<string, Runbook>).set('plain', one);
    return one;
  };
  const over = (ref = 'JOB-1') =>
    soon(async () => expect(['cancelled', 'failed']).toContain((await job(w.h, ref)).state));

  test('that goes on with a job at once keeps its claim, and hears of a cancel', async () => {
    w = await world(release([step('build')]), open);
    const { seen, answer } = held();
    w.answer('build', busy, answer);
    const worker = w.worker({ random: () => 0 });
    await run('job run release');
    await soon(() => expect(seen).toHaveLength(1));
    w.h.clock.pass(LEASE * 0.6);
    worker.wake();
    await soon(async () =>
      expect((await job(w.h)).leaseUntil?.getTime()).toBe(w.h.clock.now().getTime() + LEASE),
    );
    await run('job cancel JOB-1');
    await over();
    expect(seen[0]?.signal.reason).toBe('cancelled');
  });

  test('that lost a job and claims it again holds the new claim and drops the old one', async () => {
    w = await world(release([step('build')]), open);
    const runbook = plain();
    const { seen, answer } = held();
    w.answer('plain', answer, answer);
    const worker = w.worker();
    await run('job run plain');
    await soon(() => expect(seen).toHaveLength(1));
    w.h.clock.pass(LEASE + 1);
    await w.h.store.transaction('main', (tx) =>
      recover(tx, { runbookOf: () => runbook, random: () => 0, grace: 0 }),
    );
    await soon(() => expect(seen).toHaveLength(2));
    await soon(() => expect(seen[0]?.signal.reason).toBe('lost'));
    expect(seen[1]?.signal.aborted).toBe(false);
    w.h.clock.pass(LEASE * 0.6);
    worker.wake();
    await soon(async () =>
      expect((await job(w.h)).leaseUntil?.getTime()).toBe(w.h.clock.now().getTime() + LEASE),
    );
    await run('job cancel JOB-1');
    await over();
    expect(seen[1]?.signal.reason).toBe('cancelled');
  });

  test('that stops ends what it runs of a job under both claims', async () => {
    w = await world(release([step('build')]), open);
    const runbook = plain();
    const { seen, answer } = held();
    let left = 2;
    const slow = async (execution: Execution) => {
      const outcome = await answer(execution);
      await new Promise((resolve) => setTimeout(resolve, 50));
      left -= 1;
      return outcome;
    };
    w.answer('plain', slow, slow);
    const worker = w.worker();
    await run('job run plain');
    await soon(() => expect(seen).toHaveLength(1));
    w.h.clock.pass(LEASE + 1);
    await w.h.store.transaction('main', (tx) =>
      recover(tx, { runbookOf: () => runbook, random: () => 0, grace: 0 }),
    );
    await soon(() => expect(seen).toHaveLength(2));
    await worker.stop(now());
    expect(left).toBe(0);
  });

  test.each(['cancelled', 'stopped'])(
    'with a half-done job claimed ahead has it undone where it is %s',
    async (how) => {
      w = await world(release([step('build'), step('deploy')]), open);
      plain();
      const { answer } = held();
      w.answer('deploy', busy);
      w.answer('plain', answer);
      const worker = w.worker({ concurrency: 1, prefetch: 1 });
      await run('job run release');
      await w.state('queued');
      await run('job run plain');
      await w.state('running', 'JOB-2');
      w.h.clock.pass(2 * SECOND);
      worker.wake();
      await w.state('assigned');
      await run('job cancel JOB-1');
      // The worker gives it back: at its next look, or as it ends.
      if (how === 'stopped') await worker.stop(now());
      else worker.wake();
      await soon(async () => expect((await job(w.h)).phase).toBe('compensating'));
      if (how === 'stopped') w.worker({ owner: 'w2' });
      else await run('job cancel JOB-2');
      await over();
      expect(await job(w.h)).toMatchObject({ state: 'cancelled', error: 'cancelled' });
      expect(w.ran().filter((name) => name !== 'plain')).toEqual(['build', 'deploy', 'unbuild']);
      expect(await rows(w.h, deadLetters, { where: { job: 'JOB-1' } })).toEqual([]);
    },
  );
});
