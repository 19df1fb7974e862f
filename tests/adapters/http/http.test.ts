import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { createHttp, readObject, route, sendJson, sendProblem, type Http } from '../../../adapters/http.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { listening, now, silent } from '../support/world.ts';

let http: Http & { url: string };

afterEach(() => http.close(now()));

async function start(options: Parameters<typeof listening>[0] = {}): Promise<void> {
  http = await listening(options);
  route(http.app, '/echo', {
    post: async (req, res) => sendJson(res, 200, await readObject(req)),
    get: (_req, res) => sendJson(res, 200, { ok: true }),
  });
}

const post = (
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) => fetch(`${http.url}/echo`, { method: 'POST', body, headers });

const problem = async (response: Response) => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return (await response.json()) as { code: string; detail: string; status: number; correlationId: string };
};

test('echoes a well-formed correlation id and replaces any other', async () => {
  await start({ newId: () => 'made-here' });
  const call = async (id: string) =>
    (await fetch(`${http.url}/echo`, { headers: { 'x-correlation-id': id } })).headers.get(
      'x-correlation-id',
    );
  expect(await call('order:42')).toBe('order:42');
  expect(await call('a b')).toBe('made-here');
  expect(await call('x'.repeat(129))).toBe('made-here');
  expect((await fetch(`${http.url}/echo`)).headers.get('x-correlation-id')).toBe('made-here');
});

test('tells nothing about itself and forbids sniffing and framing', async () => {
  await start();
  const { headers } = await fetch(`${http.url}/echo`);
  expect(headers.get('x-powered-by')).toBeNull();
  expect(headers.get('etag')).toBeNull();
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(headers.get('cache-control')).toBe('no-store');
});

test('what is nowhere and what has another method are problem documents', async () => {
  await start();
  const nowhere = await fetch(`${http.url}/nowhere?x=1`);
  expect(nowhere.status).toBe(404);
  expect(await problem(nowhere)).toMatchObject({
    code: 'not_found',
    status: 404,
    type: 'urn:signalbox:problem:not_found',
  });
  const other = await fetch(`${http.url}/echo`, { method: 'DELETE' });
  expect(other.status).toBe(405);
  expect(other.headers.get('allow')).toBe('POST, GET, HEAD, OPTIONS');
  expect(await problem(other)).toMatchObject({ code: 'method_not_allowed' });
  expect((await fetch(`${http.url}/echo`, { method: 'OPTIONS' })).status).toBe(204);
  expect((await fetch(`${http.url}/%E0%A4%A`)).status).toBe(404);
});

test.each([
  ['{"a":}', /position 5 \(line 1, column 6\)/],
  ['{"a":1,\n "b":tru!}', /position 16 \(line 2, column 9\)/],
  ['{"a":1', /ends too early, at position 6/],
  ["{'a':1}", /position 1 /],
  ['\u{feff}{}', /position 0 /],
  ['[1,2]', /Expected a JSON object/],
  ['null', /Expected a JSON object/],
  [`{"a":"\\ud800"}`, /half a surrogate/],
  [`{"\\udc00x":1}`, /half a surrogate/],
  ['{"a":1,"b":":","a":1}', /same name twice/],
  ['{"b":[{"x":{}},{"x":"\\"","\\u0078":2}]}', /same name twice/],
  ['{"__proto__":1,"__proto__":2}', /same name twice/],
  [`{"a":${'['.repeat(200)}${']'.repeat(200)}}`, /nested/],
])('refuses %j', async (body, detail) => {
  await start();
  const response = await post(body);
  expect(response.status).toBe(400);
  expect(await problem(response)).toMatchObject({ code: 'malformed', detail: expect.stringMatching(detail) });
});

test('takes a surrogate pair, escaped or not', async () => {
  await start();
  expect(await (await post('{"a":"\\ud83d\\ude80 🚀"}')).json()).toEqual({ a: '🚀 🚀' });
});

test('a name may come again in another object, in a string and in a list', async () => {
  await start();
  const body = { 'a:b': '"a":1,', 'back\\': [{ a: 1 }, { a: { a: ':' } }, ':'], '': {} };
  expect(await (await post(JSON.stringify(body, null, 2))).json()).toEqual(body);
});

test.each([
  ['POST', 'h2c'],
  ['GET', 'h2c'],
  ['POST', 'websocket'],
  ['GET', 'websocket, h2c'],
])(
  'a %s that offers an upgrade to %s is answered over HTTP/1.1, and so is the next',
  async (method, upgrade) => {
    await start();
    http.server.on('upgrade', (_req, socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'));
    const socket = connect(Number(new URL(http.url).port), '127.0.0.1').setEncoding('utf8');
    let answers = '';
    socket.on('data', (chunk: string) => (answers += chunk));
    const offer = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${upgrade}\r\nHTTP2-Settings: AAMAAABk\r\n`;
    socket.write(`${method} /echo HTTP/1.1\r\nHost: x\r\n${offer}`);
    socket.write(
      method === 'GET' ? '\r\n' : 'Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}',
    );
    await once(socket, 'data');
    // As a client has to, which cannot know in which protocol it goes on: only after the answer.
    socket.write('GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    expect(answers.match(/HTTP\/1\.1 \d+|\{.*?\}/g)).toEqual(
      [1, 2].flatMap(() => ['HTTP/1.1 200', '{"ok":true}']),
    );
  },
);

test('refuses what is not UTF-8', async () => {
  await start();
  const response = await post(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]));
  expect(await problem(response)).toMatchObject({
    code: 'malformed',
    detail: expect.stringContaining('UTF-8'),
  });
});

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json; charset=latin1',
  'application/jsonx',
])('refuses the content type %s', async (type) => {
  await start();
  const response = await post('{}', { 'content-type': type });
  expect(response.status).toBe(415);
  expect(await problem(response)).toMatchObject({ code: 'unsupported_media_type' });
});

test('refuses an encoded body, which could inflate to anything', async () => {
  await start();
  const response = await post('{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' });
  expect(response.status).toBe(415);
});

test('a 5 MB body is refused with 413 and the connection lives on', async () => {
  await start();
  const body = JSON.stringify({ a: 'x'.repeat(5 * 1024 * 1024) });
  const { port } = new URL(http.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write(
    `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  socket.write('GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const answers = await text(socket);
  expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
});

test('errors are mapped once and what is inside stays inside', async () => {
  await start();
  route(http.app, '/broken', {
    get: () => {
      throw new Error('password is hunter2');
    },
    post: () => {
      throw new Refusal('rate_limited', 'Slow down.', { retryAfter: 2_300 });
    },
  });
  const broken = await fetch(`${http.url}/broken`);
  expect(broken.status).toBe(500);
  expect(JSON.stringify(await problem(broken))).not.toContain('hunter2');
  const limited = await fetch(`${http.url}/broken`, { method: 'POST' });
  expect(limited.status).toBe(429);
  expect(limited.headers.get('retry-after')).toBe('3');
});

test('an error after the head was sent ends the connection instead of lying', async () => {
  await start();
  route(http.app, '/late', {
    get: (_req, res) => {
      res.writeHead(200);
      res.write('half');
      sendProblem(res, new Error('late'));
    },
  });
  await expect(fetch(`${http.url}/late`).then((response) => response.text())).rejects.toThrow(
    /terminated|fetch failed/,
  );
});

test('shares with named origins only', async () => {
  await start({ allowedOrigins: ['https://console.example.test'] });
  const preflight = (origin: string) =>
    fetch(`${http.url}/echo`, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
  const allowed = await preflight('https://console.example.test');
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://console.example.test');
  expect(allowed.headers.get('access-control-allow-headers')).toContain('Idempotency-Key');
  expect(
    (await preflight('https://evil.example.test')).headers.get('access-control-allow-origin'),
  ).toBeNull();
});

test('a port already taken is a clear refusal', async () => {
  await start();
  const second = createHttp({
    host: '127.0.0.1',
    port: Number(new URL(http.url).port),
    trustedProxies: [],
    allowedOrigins: [],
    log: silent,
  });
  await expect(second.listen()).rejects.toThrow(/another program listens there.*PORT/);
});

test('a stop lets a running request finish and takes no other', async () => {
  await start();
  const gate = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  route(http.app, '/slow', {
    get: async (_req, res) => {
      entered.resolve();
      await gate.promise;
      sendJson(res, 200, { finished: true });
    },
  });
  const running = fetch(`${http.url}/slow`);
  await entered.promise;
  const closed = http.close(new AbortController().signal);
  await expect(fetch(`${http.url}/echo`)).rejects.toThrow('fetch failed');
  gate.resolve();
  expect(await (await running).json()).toEqual({ finished: true });
  await closed;
});

test('the deadline cuts what does not finish', async () => {
  await start();
  const entered = Promise.withResolvers<void>();
  route(http.app, '/stuck', { get: () => entered.resolve() });
  const stuck = fetch(`${http.url}/stuck`).then(
    () => 'answered',
    (error: Error) => error.message,
  );
  await entered.promise;
  const deadline = new AbortController();
  const closed = http.close(deadline.signal);
  deadline.abort();
  await closed;
  expect(await stuck).toBe('fetch failed');
});
