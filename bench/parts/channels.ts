import type { HttpJob } from '../load/requests.ts';
import { SECRET, TOKEN } from '../server.ts';
import type { Bench, Comparison } from './compare.ts';

const CONNECTIONS = 32;
const SOCKETS = 1_000;

const COMMAND = '"command":"task.create","args":{"title":"Fix login $n","priority":"P1"}';
const DELIVERY = '{"status":"failed","branch":"main","build":"$n","url":"https://ci.example.test/builds/$n"}';
const AUTHORIZED = { Authorization: `Bearer ${TOKEN}` };
const SUBPROTOCOL = { ...AUTHORIZED, 'Sec-WebSocket-Protocol': 'signalbox.v1' };

/** `POST /v1/commands` with a key and an Idempotency-Key. */
export function rest(bench: Bench): Promise<Comparison> {
  const body = `{${COMMAND}}`;
  const headers = { ...AUTHORIZED, 'Idempotency-Key': 'bench-$n' };
  return bench.compare(bareHttp(bench, body), (first) => ({
    ...http(bench, first),
    port: bench.server.port,
    path: '/v1/commands',
    headers,
    body,
  }));
}

/** A signed delivery whose rule opens a task. */
export function webhook(bench: Bench): Promise<Comparison> {
  return bench.compare(bareHttp(bench, DELIVERY), (first) => ({
    ...http(bench, first),
    port: bench.server.port,
    path: '/webhooks/bench',
    headers: { 'X-Delivery-Id': 'bench-$n' },
    body: DELIVERY,
    secret: SECRET,
  }));
}

function http({ options: { seconds } }: Bench, first: number) {
  return { kind: 'http', connections: CONNECTIONS, seconds, first } as const;
}

function bareHttp(bench: Bench, body: string): (first: number) => HttpJob {
  return (first) => ({
    ...http(bench, first),
    port: bench.barePort,
    path: '/bare',
    headers: { 'X-Delivery-Id': 'bench-$n' },
    body,
    secret: SECRET,
  });
}

/** Commands on sockets, against an echo. */
export function webSocket(bench: Bench): Promise<Comparison> {
  const common = {
    kind: 'frames',
    connections: CONNECTIONS,
    seconds: bench.options.seconds,
    text: `{"type":"command","id":"bench-$n",${COMMAND}}`,
  } as const;
  return bench.compare(
    (first) => ({ ...common, first, port: bench.barePort, path: '/echo', expect: 'bench-' }),
    (first) => ({
      ...common,
      first,
      port: bench.server.port,
      path: '/v1/ws',
      headers: SUBPROTOCOL,
      expect: '"status":"ok"',
    }),
  );
}

/** Each task that is opened, told to 1,000 sockets, against a loop that sends as many bytes to as many. */
export function fanOut(bench: Bench): Promise<Comparison> {
  const common = {
    kind: 'fan-out',
    sockets: SOCKETS,
    callers: 8,
    seconds: bench.options.seconds,
  } as const;
  const { barePort } = bench;
  const { port } = bench.server;
  const frame = JSON.stringify({ type: 'event', filler: 'x'.repeat(400), at: '$n' });
  return bench.compare(
    (first) => ({
      ...common,
      first,
      port: barePort,
      path: '/loop',
      trigger: { port: barePort, path: '/trigger', text: frame, expect: 'filler' },
    }),
    (first) => ({
      ...common,
      first,
      port,
      path: '/v1/ws',
      headers: SUBPROTOCOL,
      subscribe: '{"type":"subscribe","topics":["task.*"]}',
      trigger: {
        port,
        path: '/v1/ws',
        headers: SUBPROTOCOL,
        text: `{"type":"command","id":"fan-$n",${COMMAND}}`,
        expect: '"status":"ok"',
      },
    }),
  );
}
