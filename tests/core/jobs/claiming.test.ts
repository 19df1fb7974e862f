import { afterEach, describe, expect, test } from 'vitest';
import { claim } from '../../../src/core/jobs/claiming.ts';
import type { Tx } from '../../../src/core/store.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import { jobs } from '../../../src/domain/job.ts';
import { DATABASES } from '../../support/databases.ts';
import { busy, release, step, world, type World } from '../../worker/steps/world.ts';
import { now } from '../../worker/support.ts';
import { job } from '../support.ts';

const WANTED = { capabilities: ['default'], limit: 9, room: new Map<string, number>() };

describe.each(DATABASES)('on %s', (_database, open) => {
  let w: World;
  afterEach(() => w.close());
  const inStore = <T>(work: (tx: Tx) => Promise<T>) => w.h.store.transaction('main', work);

  test('what the engine gives out and is queued no longer is not claimed', async () => {
    w = await world(release([step('build')]), open);
    for (let n = 0; n < 2; n += 1) await w.h.run('ben', 'job run release');
    const row = await job(w.h, 'JOB-1');
    await inStore((tx) => tx.update(jobs, row, { state: 'cancelled', endedAt: tx.now }));
    const claimed = await inStore((tx) => claim(tx, { owner: 'w' }, WANTED));
    expect(claimed.map(({ ref }) => ref)).toEqual(['JOB-2']);
    expect((await job(w.h, 'JOB-1')).state).toBe('cancelled');
  });

  test('a job that is cancelled between two tries of a step is given out once', async () => {
    w = await world(release([step('build'), step('deploy')]), open);
    w.answer('deploy', busy);
    const worker = w.worker();
    await w.h.run('ben', 'job run release');
    await w.state('queued');
    await worker.stop(now());
    await w.h.run('ben', 'job cancel JOB-1');
    w.h.clock.pass(10 * SECOND);
    const one = { ...WANTED, limit: 1 };
    expect(await inStore((tx) => claim(tx, { owner: 'w' }, one))).toMatchObject([{ ref: 'JOB-1' }]);
    expect(await inStore((tx) => tx.queue.take(one))).toEqual([]);
  });
});
