import { afterEach, describe, expect, test } from 'vitest';
import { deadLetters } from '../../../src/domain/records.ts';
import { events, rows } from '../../core/support.ts';
import { tries } from '../../support/runbook.ts';
import { now, soon } from '../support.ts';
import { broken, busy, calls, done, inner, release, step, untilStopped, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = (text = 'job run release') => w.h.run('ben', text);
const cancel = (ref = 'JOB-1') => w.h.run('ben', `job cancel ${ref}`);
const states = async (ref?: string) =>
  (await w.rows(ref)).map(({ phase, name, state }) => `${phase} ${name} ${state}`);

describe('a step that fails', () => {
  test('has what was done before it undone backwards, with what each returned', async () => {
    w = await world(
      release([
        {
          ...step('build'),
          compensate: calls('unbuild', { image: '${steps.build.image}', for: '${args.service}' }),
        },
        { ...step('announce'), compensate: undefined },
        step('deploy'),
        step('check'),
        step('never'),
      ]),
    );
    w.answer('build', done({ image: 'api:7' }));
    w.answer('check', broken);
    w.worker();
    await run('job run release --service api');
    const job = await w.state('failed');
    expect(w.ran()).toEqual(['build', 'announce', 'deploy', 'check', 'undeploy', 'unbuild']);
    expect(w.calls.at(-1)?.args).toEqual({ image: 'api:7', for: 'api' });
    expect(job).toMatchObject({ error: 'check: broken', phase: 'compensating', cancelRequested: false });
    expect(job.result).toEqual({
      steps: [
        { step: 'build', state: 'done', tries: 1, error: null, undone: 'done' },
        { step: 'announce', state: 'done', tries: 1, error: null, undone: 'skipped' },
        { step: 'deploy', state: 'done', tries: 1, error: null, undone: 'done' },
        { step: 'check', state: 'failed', tries: 1, error: 'broken' },
        { step: 'never', state: 'not run', tries: 0, error: null },
      ],
    });
    const told = (await events(w.h, /^job\.(step_failed|step_skipped|compensating|dead)/)).map(
      (e) => e.event,
    );
    expect(told).toEqual(['job.step_failed', 'job.compensating', 'job.step_skipped', 'job.dead']);
    expect(await rows(w.h, deadLetters)).toMatchObject([
      { job: 'JOB-1', stage: 'run', reason: 'check: broken' },
    ]);
  });

  test('has its compensations tried again on their own, with keys of their own', async () => {
    w = await world(release([step('build'), step('deploy')]));
    w.answer('deploy', broken);
    w.answer('unbuild', busy);
    const worker = w.worker();
    await run();
    await w.ended(worker);
    expect(w.ran()).toEqual(['build', 'deploy', 'unbuild', 'unbuild']);
    const [build, , first, second] = w.calls.map((call) => call.idempotencyKey);
    expect(second).toBe(first);
    expect(first).not.toBe(build);
    expect(await w.state('failed')).toMatchObject({ error: 'deploy: broken' });
  });

  test('whose compensation fails is told as not undone; the others are undone all the same', async () => {
    w = await world(release([step('build'), step('deploy'), step('check')]));
    w.answer('check', broken);
    w.answer('undeploy', broken);
    w.worker();
    await run();
    const job = await w.state('failed');
    expect(w.ran()).toEqual(['build', 'deploy', 'check', 'undeploy', 'unbuild']);
    expect(job.error).toBe('check: broken; not undone: deploy (broken)');
    expect(job.result).toMatchObject({ steps: [{}, { undone: 'failed', undoError: 'broken' }, {}] });
    expect(await rows(w.h, deadLetters)).toMatchObject([{ stage: 'compensate', reason: job.error }]);
  });
});

describe('a cancel', () => {
  test('while a step runs stops it and has the others undone', async () => {
    w = await world(release([step('build'), step('deploy')]));
    w.answer('deploy', untilStopped);
    w.worker();
    await run();
    await soon(() => expect(w.ran()).toEqual(['build', 'deploy']));
    expect((await cancel()).reply.text).toBe('JOB-1 is being stopped.');
    const job = await w.state('cancelled');
    expect(w.ran()).toEqual(['build', 'deploy', 'unbuild']);
    expect(job).toMatchObject({
      error: 'cancelled',
      result: { steps: [{ undone: 'done' }, { state: 'failed' }] },
    });
    expect(await rows(w.h, deadLetters)).toEqual([]);
  });

  test('between two tries is not waited with', async () => {
    w = await world(release([step('build'), step('deploy')]));
    w.answer('deploy', busy);
    w.worker();
    await run();
    await w.state('queued');
    expect((await cancel()).reply.text).toBe('JOB-1 is being undone.');
    await w.state('cancelled');
    expect(w.ran()).toEqual(['build', 'deploy', 'unbuild']);
    expect(await states()).toEqual([
      'forward build done',
      'forward deploy failed',
      'compensating build done',
    ]);
  });

  test('of what is being undone is refused and stops nothing', async () => {
    w = await world(release([step('build'), step('deploy')]));
    const { promise, resolve } = Promise.withResolvers<void>();
    w.answer('deploy', untilStopped);
    w.answer('unbuild', async ({ signal }) => {
      await promise;
      return signal.aborted ? { kind: 'cancelled' } : done();
    });
    const worker = w.worker();
    await run();
    await soon(() => expect(w.ran()).toEqual(['build', 'deploy']));
    await cancel();
    await soon(() => expect(w.ran()).toEqual(['build', 'deploy', 'unbuild']));
    const second = await cancel();
    expect(second.error?.code).toBe('conflict');
    expect(second.reply.text).toBe('JOB-1 is being undone already, and that is not stopped halfway.');
    worker.wake();
    await w.h.run('ben', 'status');
    resolve();
    expect((await w.state('cancelled')).result).toMatchObject({ steps: [{ undone: 'done' }, {}] });
  });

  test('before the first step leaves nothing to undo', async () => {
    w = await world(release([step('build')]));
    await run();
    expect((await cancel()).reply.text).toBe('JOB-1 is cancelled.');
    w.worker();
    expect(await states()).toEqual([]);
  });

  test('whose compensation fails ends as failed, so that somebody sees it', async () => {
    w = await world(release([step('build'), step('deploy')]));
    w.answer('deploy', busy);
    w.answer('unbuild', broken);
    w.worker();
    await run();
    await w.state('queued');
    await cancel();
    expect((await w.state('failed')).error).toBe('cancelled; not undone: build (broken)');
    expect(await rows(w.h, deadLetters)).toMatchObject([{ stage: 'compensate' }]);
  });
});

test('what is undone shows no progress, and no secret of what failed', async () => {
  w = await world(release([step('build'), step('deploy'), step('check')]));
  w.answer('check', { kind: 'fail', failure: 'refused', reason: `token ghp_${'z'.repeat(36)} refused` });
  w.worker();
  await run();
  expect((await w.state('failed')).progress).toEqual({ text: 'undoing build' });
  const check = (await w.rows()).find((row) => row.name === 'check');
  expect(check?.error).toBe('token [redacted] refused');
});

describe('a worker that stops', () => {
  test('leaves the step to the next, which tries it again with the same key', async () => {
    w = await world(release([step('build'), step('deploy')]));
    w.answer('deploy', untilStopped);
    const first = w.worker();
    await run();
    await soon(() => expect(w.ran()).toEqual(['build', 'deploy']));
    await first.stop(now());
    expect(await w.state('queued')).toMatchObject({ attempt: 0, phase: 'forward' });
    w.worker({ owner: 'w2' });
    await w.state('succeeded');
    expect(w.ran()).toEqual(['build', 'deploy', 'deploy']);
    expect(w.calls[2]).toMatchObject({ attempt: 2, idempotencyKey: w.calls[1]?.idempotencyKey });
  });

  test('with no try left for it fails that step', async () => {
    const once = { tries: tries({ max: 1 }) };
    w = await world(
      release([
        step('build'),
        { name: 'deploy', runbook: inner('deploy', once), args: {}, compensate: undefined },
      ]),
    );
    w.answer('deploy', untilStopped);
    const first = w.worker();
    await run();
    await soon(() => expect(w.ran()).toEqual(['build', 'deploy']));
    await first.stop(now());
    w.worker({ owner: 'w2' });
    expect((await w.state('failed')).error).toBe(
      'deploy: the worker that ran it was lost (stopped by tries.max)',
    );
    expect(w.ran()).toEqual(['build', 'deploy', 'unbuild']);
  });
});
