import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { principalOf } from '../support/world.ts';
import { restWorld } from './world.ts';

let world: Awaited<ReturnType<typeof restWorld>>;
beforeEach(async () => {
  world = await restWorld();
  world.journal.jobStates.set('JOB-1', 'running');
});
afterEach(() => world.close());

const path = '/v1/jobs/JOB-1/logs/stream';

/** Everything that comes until the stream ends. */
async function whole(query = '', headers: Record<string, string> = {}): Promise<string[]> {
  const response = await world.call(path + query, { headers });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  return (await response.text()).split('\n\n').filter((frame) => frame !== '' && frame !== ': connected');
}

const log = (cursor: number, line: string) =>
  `event: log\nid: ${cursor}\ndata: {"type":"log","job":"JOB-1","cursor":${cursor},"line":"${line}","stream":"out"}`;
const end = (state: string) => `event: end\ndata: {"type":"end","job":"JOB-1","state":"${state}"}`;

const over = (state: 'succeeded' | 'failed') => {
  world.journal.jobStates.set('JOB-1', state);
  world.journal.append(`job.${state}`, {}, 'JOB-1');
};
const listening = async () => {
  while (world.journal.listeners() < 2) await turn();
};

test('streams a job’s lines from the beginning, those of no other, until it is over', async () => {
  world.journal.log('JOB-1', 'one');
  world.journal.log('JOB-2', 'other');
  const all = whole();
  await listening();
  world.journal.log('JOB-1', 'two');
  world.journal.log('JOB-2', 'other');
  world.journal.append('job.failed', {}, 'JOB-2');
  over('succeeded');
  expect(await all).toEqual([log(1, 'one'), log(2, 'two'), end('succeeded')]);
  expect(world.journal.listeners()).toBe(0);
});

test('of a job that is over: all lines, more than a page, and the end', async () => {
  for (let n = 1; n <= 1_100; n += 1) world.journal.log('JOB-1', `line ${n}`);
  over('failed');
  const all = await whole();
  expect(all).toHaveLength(1_101);
  expect(all.at(-2)).toBe(log(1_100, 'line 1100'));
  expect(all.at(-1)).toBe(end('failed'));
});

test('goes on after a cursor', async () => {
  for (const line of ['one', 'two', 'three']) world.journal.log('JOB-1', line);
  over('failed');
  expect(await whole('?after=2')).toEqual([log(3, 'three'), end('failed')]);
  expect(await whole('', { 'last-event-id': '3' })).toEqual([end('failed')]);
});

test('is for whoever may read jobs, and of a job that there is', async () => {
  world.people.set('ben', principalOf('ben', ['task:read']));
  expect((await world.call(path, { headers: { authorization: 'Bearer test-ben' } })).status).toBe(403);
  expect((await world.call('/v1/jobs/JOB-9/logs/stream')).status).toBe(404);
  expect((await world.call(`${path}?after=x`)).status).toBe(400);
  expect((await world.call(`${path}?topics=job.*`)).status).toBe(400);
  expect((await world.call(path, { headers: { authorization: 'Bearer nobody' } })).status).toBe(401);
  expect((await world.call(path, { method: 'HEAD' })).status).toBe(200);
  expect(world.journal.listeners()).toBe(0);
});

test('ends when its reader is nobody any more, and when the server stops', async () => {
  world.people.set('ben', principalOf('ben', ['job:read']));
  const lost = whole('', { authorization: 'Bearer test-ben' });
  await listening();
  world.people.delete('ben');
  world.journal.append('key.revoked');
  expect(await lost).toEqual([]);
  const open = whole();
  await listening();
  await world.adapter.stop(AbortSignal.abort());
  expect(await open).toEqual([]);
});
