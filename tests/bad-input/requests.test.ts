import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectUnharmed, problem, realApp, TOKEN, type World } from './world.ts';

let world: World;
let before: number;
let done: string[];

beforeEach(async () => {
  done = [];
  world = await realApp();
  await world.command('task create acknowledged');
  before = await world.head();
});

// Whatever was sent: the process goes on, what was acknowledged is there, and nothing else was written.
afterEach(async () => {
  expect(await world.head()).toBe(before);
  await expectUnharmed(world, ['acknowledged', ...done]);
});

const PLACES = ['/v1/commands', '/v1/tasks', '/v1/tokens', '/v1/tasks/TSK-1/transition'];

test('malformed JSON is 400 and says where it breaks', async () => {
  const bodies = [
    '{',
    '{"text": "task list"',
    '{"text": task}',
    '{"a":1}{"a":2}',
    "{'text': 'x'}",
    '[]',
    '"task list"',
    'null',
    '7',
    new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    `${'['.repeat(100)}${']'.repeat(100)}`,
    `{"text":${'{"a":'.repeat(500_000 / 5)}1${'}'.repeat(500_000 / 5)}}`,
  ];
  for (const place of PLACES)
    for (const body of bodies)
      expect(await problem(await world.post(place, body)), `${place} ${String(body).slice(0, 40)}`).toEqual({
        status: 400,
        code: 'malformed',
      });
  const answer = await world.post('/v1/commands', '{"text": task}');
  expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('position 10') as string });
});

test('another content type or an encoded body is 415', async () => {
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/jsonp',
    '',
  ];
  for (const place of PLACES) {
    for (const type of types) {
      const answer = await world.post(place, '{"text":"task create no"}', { 'content-type': type });
      expect(answer.status, `${place} ${type}`).toBe(415);
    }
    const zipped = new Uint8Array(gzipSync('{"text":"task create no"}'));
    const answer = await world.post(place, zipped, { 'content-encoding': 'gzip' });
    expect(await problem(answer), place).toEqual({ status: 415, code: 'unsupported_media_type' });
  }
});

test('a body of 5 MB is 413 on every route, whether its length is announced or not', async () => {
  const large = JSON.stringify({ text: `task create ${'x'.repeat(5 * 1024 * 1024)}` });
  for (const place of [...PLACES, '/webhooks/forge', '/webhooks/hooks']) {
    expect(await problem(await world.post(place, large)), place).toEqual({ status: 413, code: 'too_large' });
    const chunked = await world.call(place, {
      method: 'POST',
      body: new Blob([large]).stream(),
      duplex: 'half',
      headers: { 'content-type': 'application/json' },
    });
    expect(chunked.status, place).toBe(413);
  }
});

test('an endless body is cut off, a header or address beyond bounds refused', async () => {
  let sent = 0;
  const endless = new ReadableStream({
    pull: (controller) => {
      sent += 1;
      controller.enqueue(new Uint8Array(1024 * 1024));
    },
  });
  await world
    .call('/v1/commands', {
      method: 'POST',
      body: endless,
      duplex: 'half',
      headers: { 'content-type': 'application/json' },
    })
    .then((answer) => expect(answer.status).toBe(413))
    .catch((error: unknown) => expect(error).toBeInstanceOf(TypeError));
  expect(sent).toBeLessThan(64);
  expect((await world.call('/healthz', { headers: { 'x-large': 'x'.repeat(20_000) } })).status).toBe(431);
  expect((await world.call(`/v1/tasks/${'x'.repeat(10_000)}`)).status).toBe(400);
  expect((await world.call(`/v1/tasks?owner=${'x'.repeat(10_000)}`)).status).toBe(400);
});

test('a name twice in one object is refused: which one counts is anybody’s guess', async () => {
  const bodies = [
    ['/v1/commands', '{"text":"task list","text":"task create no"}'],
    ['/v1/commands', '{"command":"task.create","args":{"title":"no","priority":"P2","\\u0070riority":"P0"}}'],
    ['/v1/tasks', '{"title":"no","title":"no"}'],
    ['/v1/tokens', '{"refreshToken":"a","refreshToken":"b"}'],
  ] as const;
  for (const [path, body] of bodies)
    expect(await problem(await world.post(path, body)), body).toEqual({ status: 400, code: 'malformed' });
});

test('unknown fields are refused, wherever they stand', async () => {
  const bodies: [string, unknown][] = [
    ['/v1/commands', { text: 'task create no', priority: 'P0' }],
    ['/v1/commands', { text: 'task create no', command: 'task.create' }],
    ['/v1/commands', { command: 'task.create', args: { title: 'no', colour: 'red' } }],
    ['/v1/commands', '{"command":"task.create","args":{"title":"no","__proto__":{"priority":"P0"}}}'],
    ['/v1/commands', { command: 'task.create', args: { title: 'no', constructor: 1 } }],
    ['/v1/commands', { command: '__proto__', args: {} }],
    ['/v1/commands', { command: 'constructor', args: {} }],
    ['/v1/tasks', { title: 'no', state: 'done' }],
    ['/v1/tasks', { title: 'no', workspace: 'other' }],
    ['/v1/tasks?title=no', {}],
    ['/v1/tokens', { scope: '*' }],
  ];
  for (const [path, body] of bodies)
    expect((await world.post(path, body)).status, `${path} ${JSON.stringify(body)}`).toBe(400);
  expect((await world.call('/v1/tasks?colour=red')).status).toBe(400);
  expect((await world.call('/v1/tasks?limit=1&limit=2')).status).toBe(400);
  expect((await world.call('/v1/events?offset=1')).status).toBe(400);
});

test('lone surrogates are refused: a digest or a signature over them means nothing', async () => {
  const bodies = [
    '{"text":"task create \\ud800"}',
    '{"text":"task create \\udc00 lamp"}',
    '{"command":"task.create","args":{"title":"\\ud83d"}}',
    '{"command":"task.create","args":{"\\ud83d":"x"}}',
    // As bytes they are not UTF-8 at all.
    new Uint8Array([
      ...new TextEncoder().encode('{"text":"'),
      0xed,
      0xa0,
      0x80,
      ...new TextEncoder().encode('"}'),
    ]),
  ];
  for (const body of bodies)
    expect(await problem(await world.post('/v1/commands', body))).toEqual({ status: 400, code: 'malformed' });
  expect(await problem(await world.post('/v1/tasks', '{"title":"\\udfff"}'))).toMatchObject({ status: 400 });
  expect((await world.call('/v1/tasks/%ED%A0%80')).status).toBe(400);
});

describe('connections', () => {
  const dial = async (bytes: string) => {
    const socket = connect(world.app.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(bytes);
    return socket;
  };

  test('what is not HTTP, or HTTP that two readers would read differently, is 400 and hung up on', async () => {
    const requests = [
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'task create no\r\n\r\n',
      'POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\n{}\n',
      'POST /v1/commands HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n{}\n',
      'GET /v1/tasks HTTP/1.1\r\n\r\n',
    ];
    for (const request of requests) {
      const answer = await text(await dial(request));
      expect(answer.startsWith('HTTP/1.1 400'), request).toBe(true);
    }
  });

  test('an offer of another protocol is passed over, and the request answered', async () => {
    const body = '{"text":"task list"}';
    const socket = await dial(
      `POST /v1/commands HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n` +
        `Authorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const [answer] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
    expect(answer).toMatch(/^HTTP\/1\.1 200 .*"status":"ok"/s);
    socket.destroy();
    const plain = await world.call('/v1/ws');
    expect([plain.status, plain.headers.get('upgrade')]).toEqual([426, 'websocket']);
  });

  test('senders that stop in the middle, half-open ones, hold nobody up, nor the stop', async () => {
    const head = 'POST /v1/commands HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
    const sockets = await Promise.all([
      ...Array.from({ length: 50 }, () => dial('')),
      ...Array.from({ length: 50 }, () => dial('POST /v1/comm')),
      ...Array.from({ length: 50 }, () => dial(`${head}Content-Length: 100\r\n\r\n{"text":`)),
      ...Array.from({ length: 50 }, () => dial('GET /v1/ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n')),
    ]);
    expect((await world.call('/v1/tasks')).status).toBe(200);
    // Left open, for the stop after this test to end them.
    for (const socket of sockets) socket.on('error', () => undefined).resume();
  });

  test('who hangs up before the answer has it done once, and can ask again', async () => {
    const body = '{"text":"task create again"}';
    const request =
      `POST /v1/commands HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer an-example-token-of-the-administrator\r\n` +
      `Content-Type: application/json\r\nIdempotency-Key: k1\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const socket = await dial(request);
    socket.destroy();
    const post = () => world.post('/v1/commands', body, { 'idempotency-key': 'k1' });
    const [first, second] = [await (await post()).text(), await (await post()).text()];
    expect(first).toBe(second);
    expect(await world.titles()).toEqual(['acknowledged', 'again']);
    expect((await world.call('/v1/tasks/TSK-2', {})).status).toBe(200);
    done = ['again'];
    before = await world.head();
  });
});
