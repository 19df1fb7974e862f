import { afterEach, beforeEach, expect, test } from 'vitest';
import { jobLogs } from '../../src/domain/job.ts';
import { JobLog, type JobLogOptions } from '../../src/worker/job-log.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { rows } from '../core/support.ts';
import { flaky, soon } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

const lines = async (job = 'JOB-1') =>
  (await rows(h, jobLogs, { where: { job }, orderBy: [{ column: 'cursor' }], limit: 5_000 })).map(
    ({ cursor, stream, line }) => `${cursor} ${stream} ${line}`,
  );
const logOf = (job: string, over: Partial<JobLogOptions> = {}) =>
  new JobLog({ store: h.store, workspace: 'main', job, limit: 100, exceeded: () => undefined, ...over });
const flush = (log: JobLog) => log.with(async () => undefined);
const add = (log: JobLog, ...texts: string[]) => {
  for (const text of texts) log.add('out', text, h.clock.now());
};

test('lines are durable shortly after, in order, gathered into one commit, without secrets', async () => {
  const log = logOf('JOB-1');
  let commits = 0;
  h.store.onCommit(() => (commits += 1));
  add(log, 'one', `two ${['gh', 'p_', 'z'.repeat(36)].join('')}`);
  log.add('err', 'three', h.clock.now());
  await soon(async () => expect(await lines()).toEqual(['1 out one', '2 out two [redacted]', '3 err three']));
  expect(commits).toBe(1);
});

test('cursors are of each job, ids of the workspace; another try goes on where the first ended', async () => {
  const one = logOf('JOB-1');
  const two = logOf('JOB-2');
  add(one, 'a', 'b');
  await flush(one);
  add(two, 'x');
  await flush(two);
  const again = logOf('JOB-1');
  add(again, 'c');
  await flush(again);
  expect([await lines(), await lines('JOB-2')]).toEqual([['1 out a', '2 out b', '3 out c'], ['1 out x']]);
  const ids = (await rows(h, jobLogs, { orderBy: [{ column: 'id' }] })).map((row) => row.line);
  expect(ids).toEqual(['a', 'b', 'x', 'c']);
});

test('what could not be written is kept and written with the next', async () => {
  const away = flaky(h.store);
  const log = logOf('JOB-1', { store: away.store });
  away.away = true;
  add(log, 'one');
  await expect(flush(log)).rejects.toThrow('away');
  add(log, 'two');
  await expect(flush(log)).rejects.toThrow('away');
  away.away = false;
  add(log, 'three');
  await flush(log);
  expect(await lines()).toEqual(['1 out one', '2 out two', '3 out three']);
});

test('output is kept up to the bound, which is told of once; what Signalbox says is kept besides', async () => {
  let exceeded = 0;
  const log = logOf('JOB-1', { limit: 2, exceeded: () => (exceeded += 1) });
  add(log, 'one', 'two', 'three', 'four');
  log.add('info', 'stopped', h.clock.now());
  await flush(log);
  expect(exceeded).toBe(1);
  expect(await lines()).toEqual(['1 out one', '2 out two', '3 info stopped']);
});
