import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { principalOf } from '../support/world.ts';
import { restWorld } from './world.ts';

let world: Awaited<ReturnType<typeof restWorld>>;

beforeEach(async () => {
  world = await restWorld();
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

interface Page {
  readonly events: readonly { readonly seq: number; readonly event: string; readonly hash?: string }[];
  readonly next: number;
}

const poll = async (query: string, name = 'ana'): Promise<Page> =>
  (await (
    await world.call(`/v1/events${query}`, { headers: { authorization: `Bearer test-${name}` } })
  ).json()) as Page;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

test('gives entries after a sequence, as published, and where to go on', async () => {
  world.journal.append('task.created');
  world.journal.append('job.failed');
  const { events, next } = await poll('?after=1');
  expect(events.map((event) => [event.seq, event.event])).toEqual([[2, 'job.failed']]);
  expect(events[0]).not.toHaveProperty('hash');
  expect(next).toBe(2);
  expect(await poll('?after=2')).toEqual({ events: [], next: 2 });
  expect(await poll('?after=900')).toEqual({ events: [], next: 2 });
});

test('filters by topic and by what the reader may read, and still moves on', async () => {
  world.people.set('ben', principalOf('ben', ['task:read']));
  for (const event of ['task.created', 'job.failed', 'audit.exported']) world.journal.append(event);
  expect((await poll('', 'ben')).events.map((event) => event.event)).toEqual(['task.created']);
  expect(await poll('?after=1', 'ben')).toEqual({ events: [], next: 3 });
  expect((await poll('?topics=job.*,audit.exported')).events.map((event) => event.seq)).toEqual([2, 3]);
});

test('waits for a matching entry', async () => {
  const before = world.journal.listeners();
  const waiting = poll('?wait=30&topics=job.*');
  await until(() => world.journal.listeners() > before);
  world.journal.append('task.created');
  world.journal.append('job.failed');
  expect(await waiting).toMatchObject({ events: [{ seq: 2 }], next: 2 });
  expect(world.journal.listeners()).toBe(before);
});

test('asks again who the reader is when something arrives', async () => {
  world.people.set('ben', principalOf('ben', ['task:read']));
  const before = world.journal.listeners();
  const waiting = world.call('/v1/events?wait=30', { headers: { authorization: 'Bearer test-ben' } });
  await until(() => world.journal.listeners() > before);
  await turn();
  world.people.delete('ben');
  world.journal.append('task.created');
  expect((await waiting).status).toBe(403);
});

test('a stop ends what waits', async () => {
  const before = world.journal.listeners();
  const waiting = poll('?wait=30');
  await until(() => world.journal.listeners() > before);
  await world.adapter.stop(AbortSignal.abort());
  expect(await waiting).toEqual({ events: [], next: 0 });
});

test.each([
  '?wait=31',
  '?wait=-1',
  '?after=x',
  '?after=1.5',
  '?since=3',
  '?topics=job.**',
  '?topics=',
  '?after=1&after=900',
])('refuses %s', async (query) => {
  const response = await world.call(`/v1/events${query}`);
  expect(response.status).toBe(400);
});

test('a stream does not take its place twice either', async () => {
  for (const query of ['?after=1&after=1', '?after=1&after=900'])
    expect((await world.call(`/v1/events/stream${query}`)).status).toBe(400);
});

test.each(['/v1/events?wait=30', '/v1/events/stream'])(
  '%s of somebody who left while being looked up leaves nothing behind',
  async (path) => {
    const connection = once(world.http.server, 'connection') as Promise<[Socket]>;
    const [looking, found] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    world.authenticator.authenticator.principal = async () => {
      looking.resolve();
      await found.promise;
      return principalOf('ana');
    };
    const timers = vi.spyOn(globalThis, 'setInterval');
    const hold = vi.spyOn(world.admission, 'hold');
    const leaving = new AbortController();
    const left = world.call(path, { signal: leaving.signal }).catch((error: unknown) => error);
    const [socket] = await connection;
    await looking.promise;
    leaving.abort();
    await left;
    if (!socket.destroyed) await once(socket, 'close');
    found.resolve();
    for (let n = 0; n < 20; n += 1) await turn();
    expect(world.journal.listeners()).toBe(0);
    expect(timers).not.toHaveBeenCalled();
    expect(hold).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  },
);

/** Reads a stream of server-sent events frame by frame. */
async function stream(query = '', headers: Record<string, string> = {}) {
  const response = await world.call(`/v1/events/stream${query}`, { headers });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) throw new Error('no body');
  let rest = '';
  const next = async (): Promise<string | undefined> => {
    for (;;) {
      const end = rest.indexOf('\n\n');
      if (end >= 0) {
        const frame = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (frame !== ': connected') return frame;
        continue;
      }
      const { done, value } = await reader.read();
      if (done) return undefined;
      rest += value;
    }
  };
  return { next, cancel: () => reader.cancel() };
}

const ids = async (events: { next(): Promise<string | undefined> }, count: number) => {
  const found: (string | undefined)[] = [];
  for (let n = 0; n < count; n += 1) found.push(/^id: (\d+)$/m.exec((await events.next()) ?? '')?.[1]);
  return found;
};

test('streams from now, or after Last-Event-ID, with no gap and no repeat at the seam', async () => {
  for (let n = 0; n < 1_200; n += 1) world.journal.append('task.moved');
  const resumed = await stream('', { 'last-event-id': '1190' });
  const live = await stream();
  world.journal.append('task.created');
  expect(await ids(resumed, 11)).toEqual(Array.from({ length: 11 }, (_, n) => String(1_191 + n)));
  expect(await live.next()).toMatch(/^id: 1201\ndata: \{"type":"event",/);
  await Promise.all([resumed.cancel(), live.cancel()]);
  await until(() => world.journal.listeners() === 0);
});

test('a history that is not there is told as a gap', async () => {
  for (let n = 0; n < 5; n += 1) world.journal.append('task.moved');
  world.journal.entries.splice(0, 3);
  const events = await stream('?after=0');
  expect(await events.next()).toBe('event: gap\ndata: {"type":"gap","from":1,"to":3}');
  expect(await ids(events, 2)).toEqual(['4', '5']);
  await events.cancel();
});

test('permissions taken away stop the stream, others taken away filter it', async () => {
  world.people.set('ben', principalOf('ben', ['task:read']));
  const events = await stream('', { authorization: 'Bearer test-ben' });
  world.journal.append('task.created');
  expect(await ids(events, 1)).toEqual(['1']);
  world.people.set('ben', principalOf('ben', ['job:read']));
  world.journal.append('role.changed');
  world.journal.append('task.moved');
  world.journal.append('job.failed');
  expect(await ids(events, 1)).toEqual(['4']);
  world.people.delete('ben');
  world.journal.append('key.revoked');
  world.journal.append('job.failed');
  expect(await events.next()).toBeUndefined();
});

test('beats every 15 s and ends with the token', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  world.authenticator.state.expiresAt = new Date(world.clock.now().getTime() + 40_000);
  const events = await stream();
  vi.advanceTimersByTime(15_000);
  expect(await events.next()).toBe(': still here');
  vi.advanceTimersByTime(25_000);
  expect(await events.next()).toBe(': still here');
  expect(await events.next()).toBeUndefined();
});

test('a stop ends open streams', async () => {
  const events = await stream();
  await world.adapter.stop(AbortSignal.abort());
  expect(await events.next()).toBeUndefined();
});
