import { afterEach, describe, expect, test } from 'vitest';
import { jobLogs } from '../../../src/domain/job.ts';
import { deadLetters } from '../../../src/domain/records.ts';
import { MINUTE, SECOND } from '../../../src/domain/clock.ts';
import type { Step } from '../../../src/domain/runbook.ts';
import type { JobWorker } from '../../../src/worker/jobs.ts';
import { rows } from '../../core/support.ts';
import { bounds, tries } from '../../support/runbook.ts';
import { broken, busy, done, release, step, untilStopped, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = () => w.h.run('ben', 'job run release');
const MANY = { tries: tries({ max: 9 }) };
const error = async (worker: JobWorker) => (await w.ended(worker)).error;

describe('bounds.steps', () => {
  test('ends the tries of a step without waiting for one that may not be', async () => {
    w = await world(release([step('build', {}, MANY)], { bounds: bounds({ steps: 3 }) }));
    w.answer('build', busy, busy, busy, busy);
    const worker = w.worker();
    await run();
    expect(await error(worker)).toBe('build: busy; more than 3 tries of steps (bounds.steps)');
    expect(w.ran()).toEqual(['build', 'build', 'build']);
  });

  test('keeps nothing from being undone, however often that is tried', async () => {
    w = await world(
      release([step('build'), step('deploy'), step('check', {}, MANY)], { bounds: bounds({ steps: 4 }) }),
    );
    w.answer('check', busy, busy);
    w.answer('undeploy', busy);
    const worker = w.worker();
    await run();
    expect(await error(worker)).toBe('check: busy; more than 4 tries of steps (bounds.steps)');
    expect(w.ran()).toEqual(['build', 'deploy', 'check', 'check', 'undeploy', 'undeploy', 'unbuild']);
  });
});

describe('timeout', () => {
  const late = 'deploy: release was stopped after 40 ms (timeout)';

  test('stops the step that runs, and not what undoes those before', async () => {
    w = await world(release([step('build'), step('deploy')], { timeout: 40 }));
    w.answer('deploy', untilStopped);
    let stopped: boolean | undefined;
    w.answer('unbuild', async ({ signal }) => {
      await new Promise((resolve) => setTimeout(resolve, 80));
      stopped = signal.aborted;
      return done();
    });
    w.worker();
    await run();
    expect((await w.state('failed')).error).toBe(late);
    expect([w.ran(), stopped]).toEqual([['build', 'deploy', 'unbuild'], false]);
  });

  test('goes on to count over the tries of a step and the pauses between them', async () => {
    w = await world(release([step('build'), step('deploy', {}, MANY)], { timeout: 5 * SECOND }));
    w.answer('deploy', busy, busy, busy, busy, busy);
    const worker = w.worker();
    await run();
    // After 1, 3 and 7 seconds; that would be too late.
    expect(await error(worker)).toBe('deploy: busy; release was stopped after 5000 ms (timeout)');
    expect(w.ran()).toEqual(['build', 'deploy', 'deploy', 'deploy', 'unbuild']);
  });

  test('counts anew after a wait', async () => {
    const hold: Step = { name: 'hold', wait: { kind: 'time', duration: MINUTE } };
    w = await world(release([step('build'), hold, step('deploy')], { timeout: 5 * SECOND }));
    w.answer('deploy', busy);
    const worker = w.worker();
    const waits = w.waits();
    await run();
    await w.state('waiting');
    w.h.clock.pass(MINUTE);
    await waits.look();
    expect(await error(worker)).toBeNull();
  });

  test('is not for a policy of the step’s own runbook to overrule', async () => {
    const on = { tries: tries({ max: 5, on: { timeout: 'retry', refused: 'retry' } }) };
    w = await world(release([step('build'), step('deploy', {}, on)], { timeout: 40 }));
    w.answer('deploy', untilStopped);
    w.worker();
    await run();
    expect((await w.state('failed')).error).toBe(late);
  });
});

test('tries.budget of the whole bounds when a step may be tried again', async () => {
  const two = { tries: tries({ max: 1, budget: 2 * SECOND }), timeout: MINUTE };
  w = await world(release([step('build'), step('deploy', {}, MANY)], two));
  w.answer('deploy', busy, busy, busy, busy);
  const worker = w.worker();
  await run();
  expect(await error(worker)).toBe('deploy: busy; no further try after 2000 ms (tries.budget)');
  expect(w.ran()).toEqual(['build', 'deploy', 'deploy', 'unbuild']);
});

describe('bounds.logLines', () => {
  const chatty = { bounds: bounds({ logLines: 4 }) };
  const talk = (lines: number) => (execution: Parameters<typeof untilStopped>[0]) => {
    for (let n = 0; n < lines; n += 1) execution.log('out', `line ${n}`);
    return untilStopped(execution);
  };

  test('fails the step that runs and has the rest undone', async () => {
    w = await world(release([step('build'), step('deploy')], chatty));
    w.answer('deploy', talk(9));
    w.worker();
    await run();
    expect((await w.state('failed')).error).toBe('deploy: more than 4 lines of output (bounds.logLines)');
    expect(w.ran()).toEqual(['build', 'deploy', 'unbuild']);
  });

  test('stops nothing that is being undone: the lines beyond it are dropped', async () => {
    w = await world(release([step('build'), step('deploy'), step('check')], chatty));
    w.answer('check', broken);
    w.answer('undeploy', (execution) => {
      for (let n = 0; n < 9; n += 1) execution.log('out', `line ${n}`);
      return execution.signal.aborted ? { kind: 'cancelled' } : done();
    });
    w.worker();
    await run();
    expect((await w.state('failed')).error).toBe('check: broken');
    expect(w.ran()).toEqual(['build', 'deploy', 'check', 'undeploy', 'unbuild']);
    const kept = await rows(w.h, jobLogs, { orderBy: [{ column: 'cursor' }] });
    expect(kept.filter(({ stream }) => stream === 'out')).toHaveLength(4);
    expect(kept.findLast(({ stream }) => stream === 'info')?.line).toContain('undoing build');
    expect((await rows(w.h, deadLetters)).map(({ stage }) => stage)).toEqual(['run']);
  });
});
