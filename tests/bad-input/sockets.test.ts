import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Frame, Client } from '../adapters/websocket/world.ts';
import { expectUnharmed, realApp, type World } from './world.ts';

let world: World;

beforeEach(async () => {
  world = await realApp();
  await world.command('task create acknowledged');
});
afterEach(() => world.close());

/** What came up to the reply with this id. */
async function until(client: Client, id: string): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (;;) {
    const frame = await client.next();
    frames.push(frame);
    if (frame.id === id) return frames;
  }
}

test('10,000 commands in one frame close the socket with 1009, and none of them runs', async () => {
  const client = await world.open();
  const other = await world.open();
  const commands = Array.from({ length: 10_000 }, (_, n) => ({
    type: 'command',
    id: `c${n}`,
    text: `task create no-${n}`,
  }));
  client.send(JSON.stringify(commands));
  expect((await client.closed).code).toBe(1009);
  other.send(JSON.stringify(commands.slice(0, 500)));
  expect(await other.next()).toMatchObject({ type: 'error', code: 'malformed' });
  other.send(
    commands
      .slice(0, 500)
      .map((each) => JSON.stringify(each))
      .join('\n'),
  );
  expect(await other.next()).toMatchObject({ type: 'error', code: 'malformed' });
  await expectUnharmed(world, ['acknowledged']);
});

test('10,000 frames at once are each answered, in order, while others are served', async () => {
  const client = await world.open();
  for (let n = 0; n < 10_000; n += 1) client.send({ type: 'command', id: `c${n}`, text: 'whoami' });
  const other = await world.open();
  other.send({ type: 'command', id: 'mine', text: 'task create between' });
  expect(await other.next()).toMatchObject({ type: 'reply', id: 'mine', status: 'ok' });
  const ids = (await client.take(10_000)).map((frame) => frame.id);
  expect(ids).toEqual(Array.from({ length: 10_000 }, (_, n) => `c${n}`));
  await expectUnharmed(world, ['acknowledged', 'between']);
});

test('requests that are no commands, and sockets, count like commands: beyond the limit 429', async () => {
  const limited = await realApp({ perSender: 4 });
  expect((await limited.post('/v1/tokens', {})).status).toBe(200);
  expect((await limited.post('/v1/ws/ticket', {})).status).toBe(200);
  const client = await limited.open();
  await limited.command('task create one');
  for (const [path, init] of [
    ['/v1/tokens', { method: 'POST' }],
    ['/v1/events', {}],
    ['/v1/events/stream', {}],
    ['/v1/commands', {}],
    ['/v1/tasks', {}],
  ] as const) {
    const answer = await limited.call(path, init);
    expect([answer.status, answer.headers.get('retry-after')], path).toEqual([
      429,
      expect.stringMatching(/^[1-9]/),
    ]);
  }
  await expect(limited.open()).rejects.toThrow(/429/);
  client.send({ type: 'command', id: 'more', text: 'task create two' });
  expect(await client.next()).toMatchObject({ id: 'more', status: 'error', error: { code: 'rate_limited' } });
  expect(await limited.close()).toMatch(/^✓ /);
});

test('frames that are none get an error and the socket goes on', async () => {
  const client = await world.open();
  const frames = [
    '',
    '{',
    '[]',
    'null',
    '"task list"',
    '{"type":"command"}',
    '{"type":"command","id":7,"text":"task list"}',
    '{"type":"command","id":"","text":"task list"}',
    '{"type":"command","id":"x","text":"task list","as":"admin"}',
    '{"type":"command","id":"x","text":"task create \\ud800"}',
    '{"type":"subscribe","topics":"*"}',
    '{"type":"subscribe","topics":["*"],"after":-1}',
    '{"type":"subscribe","topics":["*"],"after":1e400}',
    '{"type":"reply","id":"x"}',
    '{"__proto__":{"type":"command","id":"x","text":"task create no"}}',
    `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
  ];
  for (const frame of frames) {
    client.send(frame);
    expect(await client.next(), frame.slice(0, 60)).toMatchObject({
      type: 'error',
      code: expect.stringMatching(/malformed|invalid_argument/) as string,
    });
  }
  client.send({ type: 'command', id: 'last', text: 'whoami' });
  expect(await client.next()).toMatchObject({ type: 'reply', id: 'last', status: 'ok' });
  await expectUnharmed(world, ['acknowledged']);
});

test('a slow reader is cut off, the others get everything, and it goes on where it was', async () => {
  const [slow, quick] = await Promise.all([world.open(), world.open()]);
  for (const client of [slow, quick]) {
    client.send({ type: 'subscribe', topics: ['task.commented'] });
    expect(await client.next()).toMatchObject({ type: 'subscribed' });
  }
  slow.socket.pause();
  // The system takes some megabytes for a reader that does not read; beyond them it is the server's memory.
  const text = 'x'.repeat(9_000);
  let sent = 0;
  const send = async () => {
    for (let n = 0; n < 100; n += 1, sent += 1)
      quick.send({
        type: 'command',
        id: `c${sent}`,
        command: 'task.comment',
        args: { id: 'TSK-1', body: `${sent} ${text}` },
      });
    await until(quick, `c${sent - 1}`);
  };
  const cut = slow.closed.then(({ code }) => code);
  const heap = process.memoryUsage().rss;
  for (let round = 0; round < 12; round += 1) await send();
  expect(process.memoryUsage().rss - heap).toBeLessThan(300 * 1024 * 1024);
  slow.socket.resume();
  expect(await cut).toBe(1013);
  const seen = await slow.take(slow.unread);
  const last = seen.at(-1)?.seq ?? 0;

  const again = await world.open();
  again.send({ type: 'subscribe', topics: ['task.commented'], after: last });
  expect(await again.next()).toMatchObject({ type: 'subscribed' });
  const rest = await again.take(sent - seen.length);
  const all = [...seen, ...rest].map((frame) => frame.seq ?? 0);
  expect(new Set(all).size).toBe(sent);
  expect(all).toEqual(all.toSorted((a, b) => a - b));
  await expectUnharmed(world, ['acknowledged']);
});
