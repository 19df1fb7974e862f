import type { IncomingHttpHeaders } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocket, type ClientOptions } from 'ws';
import { createWebSocketAdapter, type WebSocketOptions } from '../../../adapters/websocket/index.ts';
import {
  fakeAuthenticator,
  listening,
  memoryFeed,
  now,
  principalOf,
  silent,
  stillClock,
  stubReceive,
  unlimited,
  WORKSPACE,
} from '../support/world.ts';

export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly seq?: number;
  readonly [name: string]: unknown;
}

/** A client that keeps what it was sent, to be taken one by one. */
export class Client {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      this.#frames.push(JSON.parse(data.toString()) as Frame);
      this.#wake?.();
    });
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  async next(): Promise<Frame> {
    while (this.#frames.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#frames.shift() ?? { type: 'none' };
  }

  async take(count: number): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await this.next());
    return frames;
  }

  get unread(): number {
    return this.#frames.length;
  }
}

/** The adapter on a real server, with everything behind it in memory. */
export async function socketWorld(options: Partial<WebSocketOptions> = {}) {
  const http = await listening();
  const people = new Map([['ana', principalOf('ana')]]);
  const authenticator = fakeAuthenticator(people);
  const journal = memoryFeed();
  const clock = stillClock();
  const stub = stubReceive();
  let connections = 0;
  const adapter = createWebSocketAdapter({
    http: http.app,
    server: http.server,
    workspace: WORKSPACE,
    authenticator: authenticator.authenticator,
    admission: unlimited(),
    receive: stub.receive,
    feed: journal.feed,
    clock,
    log: silent,
    publicUrl: 'https://signalbox.example.test/',
    allowedOrigins: ['https://console.example.test'],
    newId: () => `c${(connections += 1)}`,
    ...options,
  });
  await adapter.start();
  const url = `${http.url.replace('http', 'ws')}/v1/ws`;
  const dial = (init: ClientOptions = {}, query = '', protocols: string[] = ['signalbox.v1']) =>
    new WebSocket(url + query, protocols, { headers: { authorization: 'Bearer test-ana' }, ...init });
  return {
    http,
    people,
    authenticator,
    journal,
    clock,
    adapter,
    stub,
    dial,
    open: async (init: ClientOptions = {}, query = ''): Promise<Client> => {
      const socket = dial(init, query);
      const client = new Client(socket);
      await new Promise<void>((resolve, reject) => {
        socket.once('open', () => resolve());
        socket.once('error', reject);
      });
      return client;
    },
    /** The HTTP answer to an upgrade that was not made. */
    refused: (init: ClientOptions = {}, query = '', protocols?: string[]) =>
      new Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>((resolve, reject) => {
        const socket = dial(init, query, protocols);
        socket.on('error', () => undefined);
        socket.once('open', () => reject(new Error('it opened')));
        socket.once('unexpected-response', (_req, res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('end', () =>
            resolve({
              status: res.statusCode ?? 0,
              headers: res.headers,
              body: Buffer.concat(chunks).toString(),
            }),
          );
        });
      }),
    close: async () => {
      await adapter.stop(now());
      await http.close(now());
    },
  };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
