import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buryOrphans } from '../../../src/core/jobs/orphans.ts';
import { MINUTE } from '../../../src/domain/clock.ts';
import { jobs } from '../../../src/domain/job.ts';
import { deadLetters } from '../../../src/domain/records.ts';
import type { Runbook } from '../../../src/domain/runbook.ts';
import type { JobWorker } from '../../../src/worker/jobs.ts';
import { Sweeper } from '../../../src/worker/sweep.ts';
import { DATABASES } from '../../support/databases.ts';
import type { Harness } from '../../support/harness.ts';
import { testRunbook } from '../../support/runbook.ts';
import { controlled, jobWorker, now, servicesOf, soon } from '../../worker/support.ts';
import { job, rows } from '../support.ts';

describe.each(DATABASES)('a job of a runbook that is not known here, on %s', (_name, create) => {
  let h: Harness;
  const workers: JobWorker[] = [];
  beforeEach(async () => {
    h = await create();
    (h.catalog.runbooks as Map<string, Runbook>).set('backup', testRunbook({ name: 'backup' }));
    expect((await h.run('ben', 'job run restart')).status).toBe('ok');
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop(now())));
    await h.close();
  });
  const without = (name: string) => ({
    ...h.catalog,
    runbooks: new Map([...h.catalog.runbooks].filter(([each]) => each !== name)),
  });
  const start = (over: Parameters<typeof jobWorker>[2]) => {
    const { execute, tries, nth } = controlled();
    const worker = jobWorker(h, execute, over);
    workers.push(worker);
    worker.start();
    return { tries, nth };
  };

  test('is left to a worker that knows it, and holds up no other', async () => {
    const old = start({ catalog: without('restart'), owner: 'old', concurrency: 1 });
    expect((await h.run('ben', 'job run backup')).status).toBe('ok');
    expect(await old.nth(1)).toMatchObject({ runbook: { name: 'backup' } });
    expect(await job(h)).toMatchObject({ state: 'queued', attempt: 0 });
    const fresh = start({ owner: 'fresh' });
    expect(await fresh.nth(1)).toMatchObject({ runbook: { name: 'restart' } });
    expect(old.tries).toHaveLength(1);
  });

  test('goes on where its steps have begun, as it carries its plan', async () => {
    const plan = h.catalog.runbooks.get('restart') as Runbook;
    await h.store.transaction('main', async (tx) => {
      const [row] = await tx.find(jobs);
      if (!row) throw new Error('no job');
      await tx.queue.withdraw(row);
      const ticket = await tx.queue.put({ ...row, plan });
      await tx.update(jobs, row, { plan, ticket });
    });
    const { nth } = start({ catalog: without('restart') });
    expect(await nth(1)).toMatchObject({ runbook: { name: 'restart' } });
  });

  test('is buried by a server that has not known it for minutes', async () => {
    const sweeper = new Sweeper(servicesOf(h, { catalog: without('restart') }), 'main');
    h.clock.pass(9 * MINUTE);
    await sweeper.sweep();
    expect((await job(h)).state).toBe('queued');
    h.clock.pass(2 * MINUTE);
    await sweeper.sweep();
    const error = 'the configuration no longer defines restart';
    expect(await job(h)).toMatchObject({ state: 'failed', error });
    expect(await rows(h, deadLetters)).toMatchObject([{ job: 'JOB-1', stage: 'start', reason: error }]);
    // The engine has forgotten it, too.
    const wanted = { capabilities: ['default'], limit: 9, room: new Map<string, number>() };
    expect(await h.store.transaction('main', (tx) => tx.queue.take(wanted))).toEqual([]);
  });

  test('is not buried by one that knows it, however long it waits', async () => {
    h.clock.pass(60 * MINUTE);
    expect(await h.store.transaction('main', (tx) => buryOrphans(tx, h.catalog, 10))).toBe(0);
    const { nth } = start({});
    await soon(() => nth(1));
  });
});
