import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { setImmediate as turn } from 'node:timers/promises';
import type { Answer } from '../../../src/core/message.ts';
import { ok, principalOf } from '../support/world.ts';
import { socketWorld, until, type Client, type Frame } from './world.ts';

let world: Awaited<ReturnType<typeof socketWorld>>;

beforeEach(async () => {
  world = await socketWorld({ bufferCap: 256 * 1024 });
});
afterEach(async () => {
  vi.useRealTimers();
  await world.close();
});

const as = (name: string) => ({ headers: { authorization: `Bearer test-${name}` } });
const seqs = (frames: readonly Frame[]) => frames.map((frame) => frame.seq);

async function subscribe(client: Client, frame: object): Promise<Frame> {
  client.send({ type: 'subscribe', ...frame });
  return client.next();
}

/** What comes after everything that was on its way. */
async function fence(client: Client): Promise<Frame[]> {
  client.send({ type: 'command', id: 'fence', text: 'help' });
  const frames: Frame[] = [];
  for (let frame = await client.next(); frame.id !== 'fence'; frame = await client.next()) frames.push(frame);
  return frames;
}

test('delivers the published envelope of matching entries from now on', async () => {
  world.journal.append('job.started');
  const client = await world.open();
  expect(await subscribe(client, { topics: ['job.*'] })).toEqual({
    type: 'subscribed',
    topics: ['job.*'],
    after: 1,
  });
  world.journal.append('task.created');
  world.journal.append('job.failed', { reason: 'x' });
  expect(await client.next()).toEqual({
    type: 'event',
    id: 'entry-3',
    version: 1,
    seq: 3,
    event: 'job.failed',
    at: '2026-11-20T08:00:00.000Z',
    actor: 'ana',
    target: 'TSK-1',
    correlationId: 'corr-1',
    cause: null,
    details: { reason: 'x' },
  });
  expect(await fence(client)).toEqual([]);
});

test('resumes by sequence without gap or repeat while new entries come', async () => {
  for (let n = 0; n < 1_700; n += 1) world.journal.append('task.moved');
  const client = await world.open();
  await subscribe(client, { topics: ['*'], after: 100 });
  for (let n = 0; n < 300; n += 1) {
    world.journal.append('task.moved');
    if (n % 50 === 0) await Promise.resolve();
  }
  expect(seqs(await client.take(1_900))).toEqual(Array.from({ length: 1_900 }, (_, n) => 101 + n));
  expect(await fence(client)).toEqual([]);
});

test('what can no longer be had, and what is not there yet, is told as a gap', async () => {
  for (let n = 0; n < 5; n += 1) world.journal.append('task.moved');
  world.journal.entries.splice(0, 2);
  const client = await world.open();
  await subscribe(client, { topics: ['*'], after: 0 });
  const [gap, ...events] = await client.take(4);
  expect(gap).toEqual({ type: 'gap', from: 1, to: 2 });
  expect(seqs(events)).toEqual([3, 4, 5]);
  await subscribe(client, { topics: ['*'], after: 9 });
  expect(await client.next()).toEqual({ type: 'gap', from: 6, to: 9 });
});

test('topics add up and are dropped', async () => {
  const client = await world.open();
  await subscribe(client, { topics: ['job.*'] });
  expect(await subscribe(client, { topics: ['task.created'] })).toMatchObject({
    topics: ['job.*', 'task.created'],
  });
  world.journal.append('task.created');
  world.journal.append('job.failed');
  expect(seqs(await client.take(2))).toEqual([1, 2]);
  client.send({ type: 'unsubscribe', topics: ['job.*'] });
  expect(await client.next()).toEqual({ type: 'subscribed', topics: ['task.created'] });
  client.send({ type: 'unsubscribe' });
  expect(await client.next()).toEqual({ type: 'subscribed', topics: [] });
  world.journal.append('task.created');
  expect(await fence(client)).toEqual([]);
});

test('frames that change what is listened to are taken in order, however long one takes', async () => {
  world.journal.append('job.started');
  world.journal.log('JOB-1', 'one');
  const client = await world.open();
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const { head } = world.journal.feed;
  Object.assign(world.journal.feed, {
    head: async (workspace: string) => {
      asked.resolve();
      await gate.promise;
      return head(workspace);
    },
  });
  client.send({ type: 'subscribe', topics: ['job.*', 'log.JOB-1'], after: 0 });
  client.send({ type: 'unsubscribe' });
  client.send({ type: 'subscribe', topics: ['task.*'] });
  await asked.promise;
  gate.resolve();
  expect((await client.take(3)).map((frame) => frame['topics'])).toEqual([
    ['job.*', 'log.JOB-1'],
    [],
    ['task.*'],
  ]);
  world.journal.append('job.failed');
  world.journal.log('JOB-1', 'two');
  expect(await fence(client)).toEqual([]);
});

test('what was unsubscribed before its subscription was confirmed does not begin', async () => {
  world.journal.append('job.started');
  world.journal.log('JOB-1', 'one');
  const client = await world.open();
  const slow = Promise.withResolvers<Answer>();
  world.stub.answer = (message) => (message.dedupeKey === 'ws:slow' ? slow.promise : ok(message));
  client.send({ type: 'command', id: 'slow', text: 'help' });
  client.send({ type: 'subscribe', topics: ['job.*', 'log.JOB-1'], after: 9 });
  client.send({ type: 'unsubscribe' });
  client.send({ type: 'command', id: 'last', text: 'help' });
  await until(() => world.stub.messages.length === 2);
  for (let n = 0; n < 20; n += 1) await turn();
  slow.resolve({ id: 'message-1', status: 'ok', reply: { text: 'done' }, correlationId: 'corr-1' });
  expect((await client.take(4)).map((frame) => frame.type)).toEqual([
    'reply',
    'subscribed',
    'subscribed',
    'reply',
  ]);
  world.journal.append('job.failed');
  expect(await fence(client)).toEqual([]);
});

test('a reader gets only what it may read, by its permissions of the moment', async () => {
  world.people.set('ben', principalOf('ben', ['task:read']));
  const client = await world.open(as('ben'));
  await subscribe(client, { topics: ['*'] });
  world.journal.append('job.failed');
  world.journal.append('person.added');
  world.journal.append('task.created');
  expect(seqs([await client.next()])).toEqual([3]);
  world.people.set('ben', principalOf('ben', ['job:read']));
  world.journal.append('role.changed');
  world.journal.append('task.created');
  world.journal.append('job.failed');
  expect(seqs([await client.next()])).toEqual([6]);
  expect(await fence(client)).toEqual([]);
});

test('a revoked key closes its sockets, subscribed or not, and no others', async () => {
  world.people.set('ben', principalOf('ben'));
  const [quiet, reader, other] = await Promise.all([
    world.open(as('ben')),
    world.open(as('ben')),
    world.open(),
  ]);
  await subscribe(reader, { topics: ['*'] });
  world.people.delete('ben');
  world.journal.append('key.revoked');
  expect((await quiet.closed).code).toBe(4401);
  expect((await reader.closed).code).toBe(4401);
  expect(reader.unread).toBe(0);
  expect(await fence(other)).toEqual([]);
});

test('log lines of one job: those that are there, then live ones, none twice', async () => {
  world.journal.log('JOB-1', 'one');
  world.journal.log('JOB-2', 'other');
  const client = await world.open();
  await subscribe(client, { topics: ['log.JOB-1'] });
  world.journal.log('JOB-1', 'two');
  expect(await client.take(2)).toEqual([
    { type: 'log', job: 'JOB-1', cursor: 1, line: 'one', stream: 'out' },
    { type: 'log', job: 'JOB-1', cursor: 2, line: 'two', stream: 'out' },
  ]);
  await subscribe(client, { topics: ['log.JOB-1'], cursor: 1 });
  expect(await client.next()).toMatchObject({ cursor: 2 });
  client.send({ type: 'unsubscribe', topics: ['log.JOB-1'] });
  await client.next();
  world.journal.log('JOB-1', 'three');
  expect(await fence(client)).toEqual([]);
});

test('log.* carries live lines of every job, for readers of jobs only', async () => {
  world.journal.log('JOB-1', 'before');
  world.people.set('ben', principalOf('ben', ['task:read']));
  const [ana, ben] = await Promise.all([world.open(), world.open(as('ben'))]);
  await Promise.all([
    subscribe(ana, { topics: ['log.*'] }),
    subscribe(ben, { topics: ['log.*', 'log.JOB-1'] }),
  ]);
  for (const line of ['a', 'b']) world.journal.log('JOB-1', line);
  world.journal.log('JOB-2', 'c');
  const lines = (await ana.take(3)).map((frame) => frame['line']);
  expect(new Set(lines)).toEqual(new Set(['a', 'b', 'c']));
  expect(await fence(ben)).toEqual([]);
});

test('a slow reader is cut off with 1013 and can resume', async () => {
  const slow = await world.open();
  await subscribe(slow, { topics: ['*'] });
  slow.socket.pause();
  const blob = 'x'.repeat(16 * 1024);
  for (let n = 0; n < 1_000; n += 1) {
    world.journal.append('task.moved', { blob });
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  slow.socket.resume();
  expect((await slow.closed).code).toBe(1013);
  const got = seqs(await slow.take(slow.unread));
  const last = got.at(-1) ?? 0;
  expect(got).toEqual(Array.from({ length: last }, (_, n) => n + 1));
  expect(last).toBeLessThan(1_000);

  const again = await world.open();
  await subscribe(again, { topics: ['*'], after: last });
  expect(seqs(await again.take(1_000 - last)).at(-1)).toBe(1_000);
});

test('history is read no faster than it is taken', async () => {
  const blob = 'x'.repeat(16 * 1024);
  for (let n = 0; n < 2_000; n += 1) world.journal.append('task.moved', { blob });
  const client = await world.open();
  await subscribe(client, { topics: ['*'], after: 0 });
  expect(seqs(await client.take(2_000)).at(-1)).toBe(2_000);
});

test('closes with 4401 when the token is over', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  world.authenticator.state.expiresAt = new Date(world.clock.now().getTime() + 60_000);
  const client = await world.open();
  await fence(client);
  vi.advanceTimersByTime(60_000);
  expect((await client.closed).code).toBe(4401);
});

test('a half-open socket is ended after a missed ping, a living one is not', async () => {
  await world.close();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  world = await socketWorld({ heartbeat: 30_000 });
  const [living, dead] = await Promise.all([world.open(), world.open({ ...as('ana'), autoPong: false })]);
  const pinged = new Promise((resolve) => living.socket.once('ping', resolve));
  vi.advanceTimersByTime(30_000);
  await pinged;
  await fence(living);
  vi.advanceTimersByTime(30_000);
  expect((await dead.closed).code).toBe(1006);
  expect(await fence(living)).toEqual([]);
});

test('a stop leaves no listener behind', async () => {
  await world.open();
  await world.adapter.stop(AbortSignal.abort());
  await until(() => world.journal.listeners() === 0);
  expect(world.adapter.health()).toMatchObject({ state: 'off' });
});
