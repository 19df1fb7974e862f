import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Server } from '../support/spawn.ts';
import { SECRET } from './server.ts';

const CHANNELS = ['rest', 'websocket', 'webhook'] as const;

/** One thing that is asked for, under a key of its own, until it is acknowledged. */
export interface Ask {
  readonly channel: (typeof CHANNELS)[number];
  readonly key: string;
  readonly title: string;
  /** The id that the acknowledgement named. */
  acknowledged?: string;
}

interface Answer {
  readonly status?: string;
  readonly reply?: { readonly data?: { readonly id?: string } };
}

/** A socket whose commands are answered by id; all that wait are refused when it closes. */
export class Line {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<string, { done: (answer: Answer) => void; lost: (error: Error) => void }>();

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as Answer & { id?: string };
      this.#waiting.get(frame.id ?? '')?.done(frame);
      this.#waiting.delete(frame.id ?? '');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { lost } of this.#waiting.values()) lost(new Error('the socket is gone'));
      this.#waiting.clear();
    });
  }

  static async open(server: Server): Promise<Line> {
    const headers = { authorization: `Bearer ${server.token}` };
    const url = `${server.url.replace('http', 'ws')}/v1/ws`;
    const socket = new WebSocket(url, ['signalbox.v1'], { headers });
    await once(socket, 'open');
    return new Line(socket);
  }

  command(id: string, text: string): Promise<Answer> {
    return new Promise((done, lost) => {
      this.#waiting.set(id, { done, lost });
      this.#socket.send(JSON.stringify({ type: 'command', id, text }), (error) => error && lost(error));
    });
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}

/** Sends it; resolves with the id of what it made. Rejects when there is no answer, or another than success. */
export async function send(server: Server, line: Line, ask: Ask): Promise<string> {
  const answer = await answerTo(server, line, ask);
  const id = answer?.reply?.data?.id;
  if (answer?.status !== 'ok' || id === undefined)
    throw new Error(`${ask.channel} ${ask.key} was answered with ${JSON.stringify(answer)}`);
  return id;
}

async function answerTo(server: Server, line: Line, ask: Ask): Promise<Answer | undefined> {
  const text = `task create ${ask.title}`;
  if (ask.channel === 'rest') return (await (await server.command(text, ask.key)).json()) as Answer;
  if (ask.channel === 'websocket') return line.command(ask.key, text);
  const { results } = (await (await deliver(server, ask.key, { alert: ask.title })).json()) as {
    results?: Answer[];
  };
  return results?.[0];
}

/** A signed webhook delivery. */
export function deliver(server: Server, delivery: string, payload: unknown): Promise<Response> {
  const body = JSON.stringify(payload);
  const signature = createHmac('sha256', SECRET).update(body).digest('hex');
  return server.fetch('/webhooks/ci', {
    method: 'POST',
    body,
    headers: {
      authorization: '',
      'content-type': 'application/json',
      'x-signature-256': signature,
      'x-delivery': delivery,
    },
  });
}

/** Everything that was asked for so far, on all channels at once. */
export class Load {
  readonly asks: Ask[] = [];
  #acknowledged = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Sends new asks, some at a time on each channel, until `enough` says so or the server is gone. */
  async run(server: Server, enough: () => boolean, atOnce = 4): Promise<void> {
    const lines = await Promise.all(Array.from({ length: atOnce }, () => Line.open(server)));
    const lanes = lines.flatMap((line) =>
      CHANNELS.map(async (channel) => {
        while (!enough()) {
          const ask: Ask = {
            channel,
            key: `key-${this.asks.length}`,
            title: `title-${this.asks.length}`,
          };
          this.asks.push(ask);
          await this.#acknowledge(server, line, ask);
        }
      }),
    );
    const ended = await Promise.allSettled(lanes);
    await Promise.all(lines.map((line) => line.close().catch(() => undefined)));
    const failure = ended.find((lane) => lane.status === 'rejected');
    if (failure) throw failure.reason as Error;
  }

  /** Sends again what has no acknowledgement, with the same keys. */
  async retry(server: Server): Promise<void> {
    const line = await Line.open(server);
    for (const ask of this.asks.filter((each) => each.acknowledged === undefined))
      await this.#acknowledge(server, line, ask);
    await line.close();
  }

  async #acknowledge(server: Server, line: Line, ask: Ask): Promise<void> {
    ask.acknowledged = await send(server, line, ask);
    this.#acknowledged += 1;
  }
}
