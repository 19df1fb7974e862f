import fc from 'fast-check';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { run, type Server } from '../support/spawn.ts';
import { deliver } from './load.ts';
import { longRun, SHORT } from './server.ts';

const RUNS = SHORT ? 400 : 20_000;

let world: ReturnType<typeof longRun>;
let server: Server;

beforeEach(async () => {
  world = longRun();
  server = await world.start();
});

// Whatever came in: the process lives, logged no surprise, and what it wrote holds together.
afterEach(async () => {
  expect((await server.fetch('/readyz')).status).toBe(200);
  expect(await server.stop()).toMatchObject({
    code: 0,
    err: expect.not.stringContaining('"level":50') as string,
  });
  expect(await run(['audit', 'verify'], { folder: world.folder })).toMatchObject({ code: 0 });
  world.remove();
});

const assertAlways = <T>(property: fc.IAsyncProperty<T>, numRuns = RUNS) => fc.assert(property, { numRuns });

/** Below 500, and a problem document where it is a refusal of ours. */
async function expectAnswer(answer: Response, what: string): Promise<void> {
  const body = await answer.text();
  expect(answer.status, `${what}\n${body}`).toBeLessThan(500);
  if (answer.status < 400) return;
  if (answer.headers.get('content-type')?.startsWith('application/problem+json'))
    expect(JSON.parse(body), what).toMatchObject({ code: expect.not.stringMatching(/^internal$/) as string });
}

interface Operation {
  readonly method: string;
  readonly path: string;
}

async function operations(): Promise<Operation[]> {
  const { paths } = (await (await server.fetch('/openapi.json')).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const own = ['/', '/healthz', '/readyz', '/metrics', '/docs', '/webhooks/ci', '/nowhere'];
  return [
    ...Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => ['get', 'post', 'patch', 'delete', 'put'].includes(method))
        .map((method) => ({ method: method.toUpperCase(), path })),
    ),
    ...own.flatMap((path) => ['GET', 'POST', 'DELETE'].map((method) => ({ method, path }))),
    // The stream never ends by itself; it has tests of its own.
  ].filter(({ path }) => path !== '/v1/events/stream');
}

const REFS = ['TSK-1', 'JOB-1', 'APR-1', 'SUB-1', 'admin', 'trace', 'self', '*', '', '0', '-1', '../..'];
const word = fc.oneof(fc.constantFrom(...REFS), fc.string({ unit: 'binary', maxLength: 40 }), fc.string());
const value = fc.oneof(
  { weight: 4, arbitrary: word },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e308, 2 ** 53, [], {}, '') },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
);

test('random bytes and JSON on every route and method', async () => {
  const all = await operations();
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json(),
    fc
      .dictionary(fc.constantFrom('id', 'text', 'command', 'args', 'title', 'to', 'reason', 'after'), value)
      .map((o) => JSON.stringify(o)),
  );
  const query = fc.option(fc.tuple(fc.constantFrom('limit', 'after', 'wait', 'owner', 'state', 'x'), word), {
    nil: undefined,
  });
  const headers = fc.record(
    {
      'content-type': fc.constantFrom('application/json', 'text/plain', 'application/json; charset=x'),
      authorization: fc.constantFrom(
        '',
        `Bearer ${server.token}`,
        `Bearer ${server.token}`,
        'Bearer x.y.z',
        'Basic eDp5',
      ),
      'if-match': fc.constantFrom('*', '"x"', 'x', 'W/"x"'),
      'idempotency-key': fc.stringMatching(/^[ -~]{0,20}$/),
      'x-correlation-id': fc.stringMatching(/^[ -~]{0,20}$/),
      'last-event-id': fc.stringMatching(/^[ -~]{0,20}$/),
    },
    { requiredKeys: [] },
  );
  await assertAlways(
    fc.asyncProperty(
      fc.constantFrom(...all),
      word,
      query,
      headers,
      body,
      async ({ method, path }, id, pair, given, sent) => {
        const filled = path.replaceAll(/\{\w+\}/g, () => encodeURIComponent(id.toWellFormed()));
        const search =
          pair && pair[0] !== 'wait'
            ? `?${new URLSearchParams([[pair[0], pair[1].toWellFormed()]]).toString()}`
            : '';
        const bare = method === 'GET';
        const answer = await server.fetch(filled + search, {
          method,
          headers: given,
          ...(!bare && { body: sent as string }),
        });
        await expectAnswer(answer, `${method} ${filled}${search} ${JSON.stringify(given)} ${String(sent)}`);
      },
    ),
  );
});

test('every command with random values for its own arguments, and random command lines', async () => {
  const { items } = (await (await server.fetch('/v1/commands')).json()) as {
    items: { name: string; args: { properties?: Record<string, unknown> }; examples: { text: string }[] }[];
  };
  const json = fc.constantFrom(...items).chain(({ name, args }) => {
    const names = Object.keys(args.properties ?? {});
    const given =
      names.length > 0
        ? fc.dictionary(fc.constantFrom(...names), value, { maxKeys: names.length })
        : fc.constant({});
    return given.map((chosen) => ({ command: name, args: chosen }));
  });
  const words = items.flatMap(({ name, examples }) => [
    ...name.split('.'),
    ...examples.flatMap((e) => e.text.split(' ')),
  ]);
  const line = fc
    .array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...words) }, { weight: 1, arbitrary: word }))
    .map((parts) => ({ text: parts.join(' ') }));
  const raw = fc
    .oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }))
    .map((typed) => ({ text: typed }));
  await assertAlways(
    fc.asyncProperty(fc.oneof(json, line, raw), async (body) => {
      const answer = await server.fetch('/v1/commands', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      await expectAnswer(answer, JSON.stringify(body));
    }),
  );
});

test('signed webhooks with any payload', async () => {
  let n = 0;
  await assertAlways(
    fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.record({ alert: value })), async (payload) => {
      n += 1;
      await expectAnswer(await deliver(server, `d${n}`, payload), JSON.stringify(payload));
    }),
    RUNS / 4,
  );
});

test('random frames on a socket: an error or a reply for each, or a goodbye', async () => {
  const headers = { authorization: `Bearer ${server.token}` };
  const dial = async () => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/ws`, ['signalbox.v1'], { headers });
    socket.on('error', () => undefined);
    await once(socket, 'open');
    return socket;
  };
  let socket = await dial();
  const fields = fc.dictionary(
    fc.constantFrom('type', 'id', 'text', 'command', 'args', 'topics', 'after', 'cursor'),
    fc.oneof(
      value,
      fc.constantFrom<unknown>('command', 'subscribe', 'unsubscribe', ['*'], ['log.JOB-1'], 'task list'),
    ),
  );
  const frame = fc.oneof(
    fc.uint8Array(),
    fc.string({ unit: 'binary' }),
    fc.json(),
    fields.map((o) => JSON.stringify(o)),
  );
  let n = 0;
  await assertAlways(
    fc.asyncProperty(frame, async (sent) => {
      if (socket.readyState !== WebSocket.OPEN) socket = await dial();
      n += 1;
      const fence = `fence-${n}`;
      const answered = new Promise<void>((resolve, reject) => {
        const over = () => {
          socket.off('message', listen);
          socket.off('close', over);
          resolve();
        };
        const listen = (data: Buffer) => {
          const { id, code } = JSON.parse(data.toString()) as { id?: string; code?: string };
          if (code === 'internal') reject(new Error(data.toString()));
          if (id === fence) over();
        };
        socket.on('message', listen);
        socket.on('close', over);
      });
      socket.send(sent);
      socket.send(JSON.stringify({ type: 'command', id: fence, text: 'whoami' }));
      await answered;
    }),
  );
  socket.terminate();
});

test('random bytes on the port', async () => {
  const { port } = new URL(server.url);
  const start = fc.constantFrom(
    '',
    'GET / HTTP/1.1\r\n',
    'POST /v1/commands HTTP/1.1\r\nHost: x\r\n',
    'GET /v1/ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n',
  );
  await assertAlways(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 2_000 }), async (head, bytes) => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(head);
      socket.end(Buffer.concat([bytes, Buffer.from('\r\n\r\n')]));
      const answer = await text(socket).catch(() => '');
      expect(answer).not.toMatch(/^HTTP\/1.1 5/);
    }),
    RUNS / 4,
  );
});
