import { afterEach, beforeEach, expect, test } from 'vitest';
import { ok, refusedAnswer } from '../support/world.ts';
import { socketWorld, until } from './world.ts';

let world: Awaited<ReturnType<typeof socketWorld>>;

beforeEach(async () => {
  world = await socketWorld();
});
afterEach(() => world.close());

test('runs text and JSON, keyed by the client’s id, in the conversation of the socket', async () => {
  const client = await world.open();
  client.send({ type: 'command', id: 'a', text: 'help' });
  client.send({ type: 'command', id: 'b', command: 'task.list', args: { limit: 1 } });
  expect(await client.take(2)).toEqual([
    {
      type: 'reply',
      id: 'a',
      status: 'ok',
      invocation: { command: 'help', args: {} },
      reply: { text: 'done' },
      correlationId: 'corr-1',
    },
    expect.objectContaining({ type: 'reply', id: 'b' }),
  ]);
  expect(world.stub.messages).toEqual([
    expect.objectContaining({
      channel: 'websocket',
      body: { text: 'help' },
      dedupeKey: 'ws:a',
      conversation: 'ws:c1',
    }),
    expect.objectContaining({ body: { command: 'task.list', args: { limit: 1 } }, dedupeKey: 'ws:b' }),
  ]);
});

test('a refusal is a reply with status error', async () => {
  world.stub.answer = () => refusedAnswer('forbidden', 'Not you.', { suggestions: ['help'] });
  const client = await world.open();
  client.send({ type: 'command', id: 'a', text: 'deploy' });
  expect(await client.next()).toMatchObject({
    type: 'reply',
    id: 'a',
    status: 'error',
    error: { code: 'forbidden', suggestions: ['help'] },
  });
});

test.each([
  ['{', undefined, /not valid JSON/],
  ['[]', undefined, /one JSON object/],
  ['"x"', undefined, /one JSON object/],
  ['{"type":"shout","id":"q"}', 'q', /type: expected/],
  ['{"type":"command","text":"help"}', undefined, /id: expected/],
  ['{"type":"command","id":"","text":"help"}', undefined, /id: expected/],
  [`{"type":"command","id":"${'x'.repeat(201)}","text":"help"}`, undefined, /id: expected/],
  ['{"type":"command","id":7,"text":"help"}', undefined, /id: expected/],
  ['{"type":"command","id":"q"}', 'q', /Expected \{"text"/],
  ['{"type":"command","id":"q","text":"help","command":"help"}', 'q', /exclude/],
  ['{"type":"command","id":"q","text":"help","urgent":true}', 'q', /"urgent" is unknown/],
  ['{"type":"command","id":"q","text":"\\ud800"}', undefined, /half a surrogate/],
  ['{"type":"subscribe"}', undefined, /topics: expected/],
  ['{"type":"subscribe","topics":[]}', undefined, /topics: expected/],
  ['{"type":"subscribe","topics":["a b"]}', undefined, /A topic is/],
  ['{"type":"subscribe","topics":["job.*"],"after":-1}', undefined, /after: expected/],
  ['{"type":"subscribe","topics":["job.*"],"since":1}', undefined, /"since" is unknown/],
  ['{"type":"unsubscribe","topics":"x"}', undefined, /topics: expected/],
])('answers %s with an error and lives on', async (frame, id, message) => {
  const client = await world.open();
  client.send(frame);
  const error = await client.next();
  expect(error).toMatchObject({ type: 'error', code: 'malformed', message: expect.stringMatching(message) });
  expect(error.id).toBe(id);
  client.send({ type: 'command', id: 'after', text: 'help' });
  expect(await client.next()).toMatchObject({ type: 'reply', id: 'after' });
});

test('refuses a binary frame', async () => {
  const client = await world.open();
  client.socket.send(Buffer.from('{}'), { binary: true });
  expect(await client.next()).toMatchObject({ type: 'error', message: 'Send text frames.' });
});

test('10,000 commands in one frame are more than a frame may hold: 1009', async () => {
  const client = await world.open();
  client.send(
    JSON.stringify(Array.from({ length: 10_000 }, (_, n) => ({ type: 'command', id: `${n}`, text: 'help' }))),
  );
  expect((await client.closed).code).toBe(1009);
  expect(world.stub.messages).toEqual([]);
});

test('10,000 frames at once are answered in order, a bounded number at work', async () => {
  let atWork = 0;
  let most = 0;
  world.stub.answer = async (message) => {
    atWork += 1;
    most = Math.max(most, atWork);
    for (let n = 0; n < (world.stub.messages.length % 5) + 1; n += 1) await Promise.resolve();
    atWork -= 1;
    return ok(message);
  };
  const client = await world.open();
  for (let n = 0; n < 10_000; n += 1) client.send({ type: 'command', id: `${n}`, text: 'help' });
  const replies = await client.take(10_000);
  expect(replies.every((reply, n) => reply.id === `${n}`)).toBe(true);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(32);
});

test('while answers are slow the sender is made to wait', async () => {
  const gate = Promise.withResolvers<void>();
  world.stub.answer = async (message) => {
    await gate.promise;
    return ok(message);
  };
  const client = await world.open();
  const text = `help ${'x'.repeat(8_000)}`;
  for (let n = 0; n < 3_000; n += 1) client.send({ type: 'command', id: `${n}`, text });
  await until(() => world.stub.messages.length === 32 && client.socket.bufferedAmount > 1_000_000);
  expect(world.stub.messages).toHaveLength(32);
  gate.resolve();
  expect((await client.take(3_000)).at(-1)?.id).toBe('2999');
});

test('a stop answers what has begun, then closes with 1001 and takes no more', async () => {
  const gate = Promise.withResolvers<void>();
  world.stub.answer = async (message) => {
    await gate.promise;
    return ok(message);
  };
  const client = await world.open();
  client.send({ type: 'command', id: 'a', text: 'help' });
  await until(() => world.stub.messages.length === 1);
  const stopped = world.adapter.stop(new AbortController().signal);
  expect((await world.refused()).status).toBe(503);
  gate.resolve();
  expect(await client.next()).toMatchObject({ id: 'a', status: 'ok' });
  expect((await client.closed).code).toBe(1001);
  await stopped;
});

test('the deadline cuts a socket that does not say goodbye', async () => {
  const client = await world.open();
  client.socket.pause();
  const deadline = new AbortController();
  const stopped = world.adapter.stop(deadline.signal);
  deadline.abort();
  await stopped;
  client.socket.resume();
  expect((await client.closed).code).toBe(1006);
});
