import { afterEach, describe, expect, test } from 'vitest';
import { tellNews } from '../../../src/core/jobs/telling.ts';
import { MINUTE, SECOND } from '../../../src/domain/clock.ts';
import { jobs } from '../../../src/domain/job.ts';
import { onSlack, outgoing } from '../../core/support.ts';
import { DATABASES } from '../../support/databases.ts';
import { now } from '../support.ts';
import { done, release, step, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());

describe.each(DATABASES)('on %s the conversation that has heard news of a job', (_name, open) => {
  test('is told that it waits, and that it goes on', async () => {
    const hold = { name: 'hold', wait: { kind: 'time', duration: 10 * MINUTE } } as const;
    w = await world(release([step('build'), hold, step('deploy')]), open);
    w.answer('build', async () => {
      w.h.clock.pass(5 * SECOND);
      await w.h.store.transaction('main', async (tx) => {
        const row = await tx.get(jobs, { ref: 'JOB-1' });
        if (row) await tellNews(tx, row);
      });
      return done();
    });
    const told = async () => Object.values(await outgoing(w.h)).at(-1);
    const worker = w.worker();
    await w.h.run('', 'job run release --service api', onSlack('ben'));
    await w.state('waiting');
    expect(await told()).toBe('JOB-1 waits until 2026-03-02T09:10:05.000Z: release');
    await worker.stop(now());
    w.h.clock.pass(10 * MINUTE);
    await w.waits().look();
    await w.state('queued');
    expect(await told()).toBe('JOB-1 is queued again: release');
    w.worker();
    await w.state('succeeded');
    expect(await told()).toMatch(/^JOB-1 succeeded: release/);
  });
});
