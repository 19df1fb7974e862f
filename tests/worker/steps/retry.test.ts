import { afterEach, describe, expect, test } from 'vitest';
import { DAY, HOUR, MINUTE, SECOND } from '../../../src/domain/clock.ts';
import { jobs } from '../../../src/domain/job.ts';
import type { Runbook } from '../../../src/domain/runbook.ts';
import { events, rows } from '../../core/support.ts';
import { DATABASES } from '../../support/databases.ts';
import { testRunbook, tries } from '../../support/runbook.ts';
import { now, soon } from '../support.ts';
import { broken, busy, calls, release, step, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = (text = 'job run release') => w.h.run('ben', text);
const retry = (ref = 'JOB-1') => run(`job retry ${ref}`);
const keys = (name: string) => w.calls.filter((c) => c.runbook === name).map((c) => c.idempotencyKey);
const change = (to: Runbook) => (w.h.catalog.runbooks as Map<string, Runbook>).set(to.name, to);

describe.each(DATABASES)('a retry on %s', (_database, open) => {
  test('of what could not be undone undoes what is left, with the same keys, and nothing else', async () => {
    w = await world(release([step('build'), step('deploy'), step('check')]), open);
    w.answer('check', broken);
    w.answer('undeploy', broken);
    w.worker();
    await run();
    await w.state('failed');
    expect((await retry()).reply.text).toBe('JOB-1: what is left is being undone.');
    await soon(async () => expect((await w.state('failed')).error).toBe('check: broken'));
    expect(w.ran().slice(5)).toEqual(['undeploy']);
    expect(new Set(keys('undeploy')).size).toBe(1);
    expect(w.calls.at(-1)).toMatchObject({ attempt: 1 });
    const told = (await events(w.h, /^job\.queued$/)).at(-1);
    expect(told).toMatchObject({ actor: 'ben', details: { phase: 'compensating', retry: true } });
  });

  test('of what was undone begins at the first step, with other keys for what was undone', async () => {
    w = await world(release([step('build'), step('deploy')]), open);
    w.answer('deploy', broken);
    w.worker();
    await run();
    await w.state('failed');
    await retry();
    expect((await w.state('succeeded')).result).toMatchObject({ steps: [{ tries: 1 }, { tries: 1 }] });
    expect(w.ran()).toEqual(['build', 'deploy', 'unbuild', 'build', 'deploy']);
    expect(new Set(keys('build')).size).toBe(2);
    // Nobody knows what it did: the far side can tell.
    expect(new Set(keys('deploy')).size).toBe(1);
    expect((await w.rows()).map(({ phase, name, state }) => `${phase} ${name} ${state}`).toSorted()).toEqual([
      'forward build done',
      'forward deploy done',
    ]);
  });

  test('keeps the key of what was done and has nothing to undo it with', async () => {
    w = await world(release([{ ...step('announce'), compensate: undefined }, step('deploy')]), open);
    w.answer('deploy', broken);
    w.worker();
    await run();
    await w.state('failed');
    await retry();
    await w.state('succeeded');
    expect([keys('announce').length, new Set(keys('announce')).size]).toEqual([2, 1]);
  });

  test('goes by the steps that its runbook has by then', async () => {
    w = await world(release([step('build'), step('deploy')]), open);
    w.answer('deploy', broken);
    w.worker();
    await run();
    await w.state('failed');
    change(release([step('build'), step('other'), step('deploy')]));
    await retry();
    await w.state('succeeded');
    expect(w.ran().slice(3)).toEqual(['build', 'other', 'deploy']);
  });

  test('of what could not be undone keeps to the rate and the instant that are asked for', async () => {
    w = await world(release([step('build'), step('deploy')]), open);
    for (let n = 0; n < 3; n += 1) {
      w.answer('deploy', broken);
      w.answer('unbuild', broken);
    }
    const worker = w.worker();
    for (const ref of ['JOB-1', 'JOB-2', 'JOB-3']) {
      await run();
      await w.state('failed', ref);
    }
    await worker.stop(now());
    await run('job dead redrive --stage compensate --rate 1');
    const at = (await rows(w.h, jobs, { orderBy: [{ column: 'id' }] })).map(({ runAt }) => runAt.getTime());
    expect(at.map((each) => each - w.h.clock.now().getTime())).toEqual([0, MINUTE, 2 * MINUTE]);
  });

  test('of what could not be undone gives it all its tries and their whole budget anew', async () => {
    const few = { tries: tries({ max: 3, budget: HOUR }) };
    w = await world(
      release([{ ...step('build'), compensate: calls('unbuild', {}, few) }, step('deploy')], {
        tries: tries({ max: 1 }),
      }),
      open,
    );
    w.answer('deploy', broken);
    w.answer('unbuild', broken, busy, busy);
    const worker = w.worker();
    await run();
    await w.state('failed');
    w.h.clock.pass(DAY);
    await retry();
    expect((await w.ended(worker)).error).toBe('deploy: broken');
    expect(keys('unbuild')).toHaveLength(4);
  });
});

test('the first wait after a retry is the first of the runbook’s, however often it was tried before', async () => {
  w = await world(release([step('build')]));
  change(testRunbook({ name: 'plain', tries: tries({ max: 3, backoff: SECOND, cap: HOUR }) }));
  w.answer('plain', broken, broken, broken, busy, busy);
  w.worker();
  await run('job run plain');
  for (const attempt of [1, 2, 3]) {
    await soon(async () => expect(await w.state('failed')).toMatchObject({ attempt }));
    await retry();
  }
  const { runAt } = await w.state('queued');
  expect(runAt.getTime() - w.h.clock.now().getTime()).toBe(SECOND);
});
