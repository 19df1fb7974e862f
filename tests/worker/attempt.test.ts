import { afterEach, beforeEach, expect, test } from 'vitest';
import { job } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { controlled, jobWorker, now, soon } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

test('what was done outside before the executor broke is not done again', async () => {
  const { execute, nth, tries } = controlled();
  const worker = jobWorker(h, execute);
  worker.start();
  await h.run('ben', 'job run restart');
  const one = await nth(1);
  const at = h.clock.now();
  const done = { kind: 'http', target: 'https://x.test/', outcome: '200', result: null } as const;
  one.effect({ ...done, startedAt: at, endedAt: at });
  one.end(new Error('broken'));
  await soon(async () => expect((await job(h)).state).toBe('failed'));
  expect((await job(h)).error).toMatch(/^it was done, but the executor failed unexpectedly/);
  expect(tries).toHaveLength(1);
  await worker.stop(now());
});
