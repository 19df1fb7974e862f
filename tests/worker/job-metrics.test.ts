import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { claim } from '../../src/core/jobs/claiming.ts';
import { finish, release } from '../../src/core/jobs/finishing.ts';
import { HOUR, MINUTE, SECOND } from '../../src/domain/clock.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { measureJobs } from '../../src/worker/job-metrics.ts';
import type { JobWorker } from '../../src/worker/jobs.ts';
import { Waits } from '../../src/worker/waits.ts';
import { job } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { bounds, testRunbook } from '../support/runbook.ts';
import { step } from './steps/world.ts';
import { controlled, jobWorker, now, servicesOf, soon } from './support.ts';

let h: Harness;
let registry: Registry;
let worker: JobWorker | undefined;
beforeEach(async () => {
  h = await createHarness();
  registry = new Registry();
  measureJobs({ registry, store: h.store, catalog: h.catalog });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await worker?.stop(now());
  worker = undefined;
  await h.close();
});

async function value(
  name: string,
  labels: Record<string, string | number> = {},
): Promise<number | undefined> {
  const metric = (await registry.getMetricsAsJSON()).find((each) => name.startsWith(each.name));
  const found = metric?.values.find(
    (one) =>
      ((one as { metricName?: string }).metricName ?? metric.name) === name &&
      Object.entries(labels).every(
        ([label, wanted]) => (one.labels as Record<string, unknown>)[label] === wanted,
      ),
  );
  return found?.value;
}

test('the phases of jobs, their retries and dead letters are counted from the journal, whoever runs them', async () => {
  const { execute, nth } = controlled();
  await h.run('ana', 'job run deploy --env staging');
  h.clock.pass(60 * SECOND);
  await h.run('ben', 'approve APR-1');
  await h.run('cho', 'approve APR-1');
  h.clock.pass(3 * SECOND);
  worker = jobWorker(h, execute, { random: () => 0 });
  worker.start();
  const first = await nth(1);
  h.clock.pass(5 * SECOND);
  first.end({ kind: 'retry', failure: 'network', reason: 'no answer' });
  const second = await nth(2);
  h.clock.pass(7 * SECOND);
  second.end({ kind: 'retry', failure: 'network', reason: 'no answer' });
  await soon(async () => expect((await job(h)).state).toBe('failed'));
  const phase = 'signalbox_job_phase_seconds';
  await soon(async () => expect(await value(`${phase}_sum`, { phase: 'running' })).toBe(12));
  expect(await value(`${phase}_count`, { phase: 'running' })).toBe(2);
  expect(await value(phase, { phase: 'running', quantile: 0.95 })).toBe(7);
  expect(await value(phase, { phase: 'waiting', quantile: 0.5 })).toBe(60);
  expect(await value(`${phase}_count`, { phase: 'waiting' })).toBe(1);
  expect(await value(`${phase}_sum`, { phase: 'queued' })).toBe(3);
  expect(await value(`${phase}_count`, { phase: 'assigned' })).toBe(2);
  expect(await value('signalbox_job_retries_total', { failure: 'network' })).toBe(1);
  expect(await value('signalbox_job_dead_total', { stage: 'run' })).toBe(1);
});

const PHASE = 'signalbox_job_phase_seconds';

test('what was claimed ahead and given back did not run, and is no retry', async () => {
  const wanted = { capabilities: ['default'], limit: 1, room: new Map() };
  await h.run('ben', 'job run restart');
  const [first] = await h.store.transaction('main', (tx) => claim(tx, { owner: 'w', begin: true }, wanted));
  if (!first) throw new Error('nothing to claim');
  h.clock.pass(SECOND);
  const outcome = { kind: 'retry', failure: 'network', reason: 'no answer' } as const;
  const ending = { outcome, runbook: h.catalog.runbooks.get('restart'), receipts: [], random: () => 0 };
  await h.store.transaction('main', (tx) => finish(tx, first, ending));
  h.clock.pass(HOUR);
  const [ahead] = await h.store.transaction('main', (tx) => claim(tx, { owner: 'w' }, wanted));
  if (!ahead) throw new Error('nothing to claim');
  await h.store.transaction('main', (tx) => release(tx, ahead));
  await soon(async () => expect(await value(`${PHASE}_count`, { phase: 'running' })).toBe(1));
  expect(await value(`${PHASE}_sum`, { phase: 'running' })).toBe(1);
  expect(await value('signalbox_job_retries_total', { failure: 'network' })).toBe(1);
  expect(await value('signalbox_job_retries_total', { failure: 'lost' })).toBeUndefined();
});

test('what steps ran before they waited counts, and undoing is no retry', async () => {
  const hold = { name: 'hold', wait: { kind: 'time', duration: MINUTE } } as const;
  const runbook = testRunbook({
    name: 'release',
    executor: { kind: 'steps', steps: [step('build'), hold, step('deploy')] },
    bounds: bounds(),
  });
  (h.catalog.runbooks as Map<string, Runbook>).set('release', runbook);
  const { execute, nth } = controlled();
  worker = jobWorker(h, execute);
  worker.start();
  await h.run('ben', 'job run release');
  const first = await nth(1);
  h.clock.pass(20 * SECOND);
  first.end({ kind: 'done', result: {} });
  await soon(async () => expect((await job(h)).state).toBe('waiting'));
  await soon(async () => expect(await value(`${PHASE}_sum`, { phase: 'running' })).toBe(20));
  h.clock.pass(MINUTE);
  const waits = new Waits(servicesOf(h), 'main');
  await waits.look();
  await nth(2);
  await h.run('ben', 'job cancel JOB-1');
  (await nth(3)).end({ kind: 'done', result: {} });
  await soon(async () => expect((await job(h)).state).toBe('cancelled'));
  const retries = (await registry.getMetricsAsJSON()).find((m) => m.name === 'signalbox_job_retries_total');
  expect(retries?.values).toEqual([]);
});

test('depth and age of the queue are shown by capability, with a look now and then however often one scrapes', async () => {
  (h.catalog.runbooks as Map<string, Runbook>).set(
    'train',
    testRunbook({ name: 'train', capability: 'gpu' }),
  );
  await h.run('ben', 'job run restart');
  h.clock.pass(30 * SECOND);
  await h.run('ben', 'job run restart');
  await h.run('ben', 'job run restart --in 10m');
  await h.run('ana', 'job run deploy --env staging');
  const reads = vi.spyOn(h.store, 'read');
  expect(await value('signalbox_jobs_queued', { capability: 'default' })).toBe(3);
  expect(await value('signalbox_jobs_queued', { capability: 'gpu' })).toBe(0);
  expect(await value('signalbox_job_oldest_seconds', { capability: 'default' })).toBe(30);
  expect(await value('signalbox_jobs', { state: 'waiting' })).toBe(1);
  expect(await value('signalbox_jobs', { state: 'running' })).toBe(0);
  expect(reads).toHaveBeenCalledTimes(1);
  const later = performance.now() + 11 * SECOND;
  vi.spyOn(performance, 'now').mockReturnValue(later);
  await h.run('ben', 'job cancel JOB-1');
  expect(await value('signalbox_jobs_queued', { capability: 'default' })).toBe(2);
});

test('a database that is away leaves the last figures', async () => {
  expect(await value('signalbox_jobs', { state: 'running' })).toBe(0);
  vi.spyOn(h.store, 'read').mockRejectedValue(new Error('away'));
  const later = performance.now() + 11 * SECOND;
  vi.spyOn(performance, 'now').mockReturnValue(later);
  expect(await value('signalbox_jobs', { state: 'running' })).toBe(0);
});
