import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Answer } from '../../../src/core/message.ts';
import { soon } from './soon.ts';

export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly [field: string]: unknown;
}

/** Somebody on the WebSocket: sends commands and keeps every frame that comes. */
export class Desk {
  readonly frames: Frame[] = [];
  /** How the server ended it. */
  readonly closed: Promise<{ code: number }>;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.frames.push(JSON.parse(data.toString()) as Frame));
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => resolve({ code }));
    });
  }

  static async open(url: string, key: string): Promise<Desk> {
    const headers = { authorization: `Bearer ${key}` };
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'signalbox.v1', { headers });
    const desk = new Desk(socket);
    await once(socket, 'open');
    return desk;
  }

  async subscribe(...topics: string[]): Promise<void> {
    this.#send({ type: 'subscribe', topics });
    await this.seen({ type: 'subscribed' });
  }

  async command(id: string, text: string): Promise<Answer> {
    this.#send({ type: 'command', id, text });
    return (await this.seen({ type: 'reply', id })) as unknown as Answer;
  }

  /** The first frame with these fields, when it is there. */
  async seen(fields: Partial<Frame>): Promise<Frame> {
    return soon(() => {
      const found = this.all(fields)[0];
      if (!found)
        throw new Error(`no frame with ${JSON.stringify(fields)} in ${JSON.stringify(this.frames)}`);
      return found;
    });
  }

  /** The frames with these fields so far. */
  all(fields: Partial<Frame>): Frame[] {
    return this.frames.filter((frame) =>
      Object.entries(fields).every(([name, value]) => frame[name] === value),
    );
  }

  async leave(): Promise<void> {
    this.#socket.close();
    await this.closed;
  }

  #send(frame: object): void {
    this.#socket.send(JSON.stringify(frame));
  }
}
