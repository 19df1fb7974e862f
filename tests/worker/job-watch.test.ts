import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LogLine } from '../../src/core/feed.ts';
import { createFeed } from '../../src/core/live-feed.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { jobLogs } from '../../src/domain/job.ts';
import type { JobWorker } from '../../src/worker/jobs.ts';
import { job, onSlack, outgoing, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { controlled, jobWorker, now, soon } from './support.ts';

let h: Harness;
let worker: JobWorker;
let control: ReturnType<typeof controlled>;
beforeEach(async () => {
  h = await createHarness();
  control = controlled();
  worker = jobWorker(h, control.execute);
  worker.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await worker.stop(now());
  await h.close();
});

const lines = async () =>
  (await rows(h, jobLogs, { orderBy: [{ column: 'id' }] })).map((l) => `${l.stream} ${l.line}`);
const news = async () =>
  Object.entries(await outgoing(h)).flatMap(([key, text]) => (key.includes(':news:') ? [text] : []));

test('progress reaches the row and whoever watches, the newest at most once a second, the last with the end', async () => {
  const live: LogLine[] = [];
  createFeed(h.store).onLog('main', (line) => live.push(line));
  await h.run('ben', 'job run restart');
  const one = await control.nth(1);
  for (const percent of [10, 20, 30]) one.progress({ percent });
  await soon(async () => expect((await job(h)).progress).toEqual({ percent: 30 }));
  await soon(() => expect(live.map((l) => `${l.stream} ${l.line}`)).toEqual(['progress 30 %']));
  for (const percent of [40, 50, 100]) one.progress({ percent });
  one.end({ kind: 'done', result: {} });
  await soon(async () => expect((await job(h)).state).toBe('succeeded'));
  expect((await job(h)).progress).toEqual({ percent: 100 });
  expect(await lines()).toEqual(['progress 30 %', 'progress 100 %']);
});

test('a further try begins anew, and a try that lost its claim says nothing more', async () => {
  await h.run('ben', 'job run restart');
  const one = await control.nth(1);
  one.progress({ percent: 70 });
  await soon(async () => expect((await job(h)).progress).toEqual({ percent: 70 }));
  one.end({ kind: 'retry', reason: 'its worker was lost', failure: 'lost' });
  await control.nth(2);
  expect((await job(h)).progress).toBeNull();
  one.progress({ percent: 99 });
  worker.wake();
  expect((await job(h)).progress).toBeNull();
});

test('log lines alone make news for the conversation that asked, five seconds after', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const { replyTo: origin, ...slash } = onSlack('ben');
  await h.run('', 'job run restart', { ...slash, ...(origin && { origin }) });
  await vi.waitFor(() => expect(control.tries).toHaveLength(1));
  control.tries[0]?.log('out', 'Building');
  h.clock.pass(6 * SECOND);
  vi.advanceTimersByTime(SECOND);
  await vi.waitFor(async () => expect(await lines()).toEqual(['out Building']));
  expect(await news()).toEqual([]);
  vi.advanceTimersByTime(6 * SECOND);
  await vi.waitFor(async () => expect(await news()).toEqual(['JOB-1 is running: restart\nBuilding']));
});
