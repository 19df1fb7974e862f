import { WebSocket } from 'ws';
import { createWebSocketAdapter } from '../../adapters/websocket/index.ts';
import { createFeed } from '../../src/core/live-feed.ts';
import { silent, unlimited } from '../adapters/support/world.ts';
import { adapterContract, type Line } from './adapter.ts';
import { typed } from './world.ts';

adapterContract({
  title: 'WebSocket',
  name: 'websocket',
  answers: 'in place',
  toldToWait: /Try again in \d+ s.*"code":"rate_limited","retryAfter":\d+/,
  showsCorrelation: true,
  lateIs: 'unheard',
  lacks: {
    stranger: 'a bearer without a living owner proves nothing',
    deafen: 'it listens itself, on the server of the product',
  },
  async open({ harness, http, authenticator, receive, key: keyOf }): Promise<Line> {
    const keys = { member: await keyOf('ben'), viewer: await keyOf('vic') };
    const clients = new Map<string, Promise<Client>>();
    const shown: string[] = [];
    const url = `${http.url.replace('http', 'ws')}/v1/ws`;
    let ids = 0;
    return {
      adapter: createWebSocketAdapter({
        http: http.app,
        server: http.server,
        workspace: harness.workspace,
        authenticator,
        admission: unlimited(),
        receive,
        feed: createFeed(harness.store),
        clock: harness.clock,
        log: silent,
        publicUrl: http.url,
        allowedOrigins: [],
      }),
      shown,
      identities: { member: keys.member.identity, viewer: keys.viewer.identity },
      async say(from, ask, key) {
        const { bearer } = from === 'viewer' ? keys.viewer : keys.member;
        const client = clients.get(bearer) ?? Client.open(url, bearer);
        clients.set(bearer, client);
        shown.push(await (await client).ask(key ?? `unkeyed-${(ids += 1)}`, typed(ask)));
      },
      // The right key id with another secret.
      forge: () => refusal(url, `${keys.member.bearer.slice(0, -6)}AAAAAA`),
      close: async () => {
        for (const client of clients.values()) (await client).socket.terminate();
      },
    };
  },
});

/** One open socket; each answer goes to the one who asked under its id. */
class Client {
  readonly socket: WebSocket;
  readonly #asked = new Map<string, PromiseWithResolvers<string>[]>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      const { id } = JSON.parse(text) as { id: string };
      this.#asked.get(id)?.shift()?.resolve(text);
    });
    socket.on('close', () => {
      for (const { reject } of [...this.#asked.values()].flat()) reject(new Error('closed'));
    });
  }

  static async open(url: string, bearer: string): Promise<Client> {
    const socket = dial(url, bearer);
    const client = new Client(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return client;
  }

  ask(id: string, text: string): Promise<string> {
    const asked = Promise.withResolvers<string>();
    this.#asked.set(id, [...(this.#asked.get(id) ?? []), asked]);
    this.socket.send(JSON.stringify({ type: 'command', id, text }));
    return asked.promise;
  }
}

const dial = (url: string, bearer: string): WebSocket =>
  new WebSocket(url, ['signalbox.v1'], { headers: { authorization: `Bearer ${bearer}` } });

/** The HTTP answer to an upgrade that was not made. */
function refusal(url: string, bearer: string): Promise<string> {
  const socket = dial(url, bearer);
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    socket.once('open', () => reject(new Error('it opened')));
    socket.once('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.once('end', () => resolve(`${response.statusCode} ${body}`));
    });
  });
}
