import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Receive } from '../../src/core/adapter.ts';
import type { Authenticator } from '../../src/core/authenticator.ts';
import type { Feed } from '../../src/core/feed.ts';
import { Standing } from '../../src/core/feed-standing.ts';
import type { Clock } from '../../src/domain/clock.ts';
import { asRefusal, Refusal } from '../../src/domain/errors.ts';
import { decodeFrame, errorFrame, fieldsOf, isId, replyFrame, type ClientFrame } from './frame.ts';
import type { EntryItem, LogItem } from './item.ts';
import { Pipeline, type Answered } from './pipeline.ts';
import { Subscription } from './subscription.ts';
import { presentPrincipal, type Admitted } from './upgrade.ts';

export interface ConnectionOptions {
  readonly workspace: string;
  readonly authenticator: Authenticator;
  readonly receive: Receive;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes that may wait for a slow reader. */
  readonly bufferCap: number;
}

/** RFC 6455, 7.4: ours is from the private range. */
const CLOSE = { leaving: 1001, tryAgain: 1013, unauthenticated: 4401 } as const;

const LONGEST_TIMER = 2 ** 31 - 1;

/** One open socket of a proven sender. */
export class Connection {
  readonly id: string;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #admitted: Admitted;
  readonly #options: ConnectionOptions;
  readonly #standing: Standing;
  readonly #subscription: Subscription;
  readonly #pipeline: Pipeline<Buffer | Refusal>;
  readonly #expiry: NodeJS.Timeout | undefined;
  #draining: Promise<void> | undefined;
  /** The last change of what this socket listens to: one waits for the one before. */
  #listening: Promise<unknown> = Promise.resolve();
  #alive = true;
  #closing = false;

  constructor(id: string, ws: WebSocket, socket: Duplex, admitted: Admitted, options: ConnectionOptions) {
    const { authenticator, clock, workspace, feed } = options;
    this.id = id;
    this.#ws = ws;
    this.#socket = socket;
    this.#admitted = admitted;
    this.#options = options;
    this.#standing = new Standing(
      admitted.who,
      () => presentPrincipal(authenticator, admitted.identity),
      (error) => this.#lose(error),
    );
    const send = (frame: Buffer | string) => this.#send(frame);
    const failed = (error: unknown) => this.#lose(error);
    const room = () => this.#room();
    this.#subscription = new Subscription({ workspace, feed, standing: this.#standing, send, room, failed });
    this.#pipeline = new Pipeline({
      handle: (frame) => this.#handle(frame),
      send,
      pause: () => ws.pause(),
      resume: () => ws.resume(),
    });
    if (admitted.expiresAt) {
      const left = Math.min(admitted.expiresAt.getTime() - clock.now().getTime(), LONGEST_TIMER);
      this.#expiry = setTimeout(() => this.close(CLOSE.unauthenticated, 'the token is over'), left);
    }
    this.#attend();
  }

  /** Calls back when the socket is closed. */
  onGone(listener: () => void): void {
    this.#ws.once('close', listener);
  }

  entry(item: EntryItem): void {
    this.#subscription.entry(item);
  }

  line(item: LogItem): void {
    this.#subscription.line(item);
  }

  /** People, roles or keys have changed: nothing is delivered until this sender was looked up again. */
  doubt(): void {
    this.#standing.doubt();
    this.#subscription.recheck();
  }

  /** Asks whether the far side is still there; ends the socket when it did not answer the last time. */
  beat(): void {
    if (!this.#alive) {
      this.terminate();
      return;
    }
    this.#alive = false;
    this.#ws.ping();
  }

  /** Answers what has begun, then says goodbye. */
  async finish(): Promise<void> {
    this.#subscription.stop();
    this.#closing = true;
    await this.#pipeline.finish();
    this.close(CLOSE.leaving, 'Signalbox is stopping');
  }

  close(code: number, reason: string): void {
    this.#release();
    // A paused socket would never read the other side's goodbye.
    this.#ws.resume();
    this.#ws.close(code, reason);
  }

  terminate(): void {
    this.#release();
    this.#ws.terminate();
  }

  #attend(): void {
    this.#ws.on('message', (data: Buffer, isBinary) => {
      this.#alive = true;
      if (this.#closing) return;
      this.#pipeline.push(isBinary ? new Refusal('malformed', 'Send text frames.') : data);
    });
    this.#ws.on('pong', () => {
      this.#alive = true;
    });
    // What the protocol forbids (a frame above 64 KiB, text that is not UTF-8): ws closes with 1009, 1007 or 1002.
    this.#ws.on('error', (err) => this.#options.log.debug({ err, connection: this.id }, 'websocket error'));
    this.#ws.on('close', () => this.#release());
  }

  async #handle(data: Buffer | Refusal): Promise<Answered> {
    let id: string | undefined;
    try {
      if (data instanceof Refusal) throw data;
      const fields = fieldsOf(data);
      if (isId(fields['id'])) id = fields['id'];
      return await this.#act(decodeFrame(fields));
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.code === 'internal')
        this.#options.log.error({ err: error, connection: this.id }, 'a frame failed');
      return { text: errorFrame(refusal, id) };
    }
  }

  async #act(frame: ClientFrame): Promise<Answered> {
    if (frame.type === 'command') {
      const answer = await this.#options.receive({
        channel: 'websocket',
        from: this.#admitted.identity,
        body: frame.body,
        dedupeKey: `ws:${frame.id}`,
        conversation: `ws:${this.id}`,
      });
      return { text: replyFrame(frame.id, answer) };
    }
    const listened = this.#listening.then(() => this.#listen(frame));
    this.#listening = listened.catch(() => undefined);
    return listened;
  }

  async #listen(frame: Exclude<ClientFrame, { type: 'command' }>): Promise<Answered> {
    if (frame.type === 'unsubscribe') {
      this.#subscription.remove(frame.topics);
      return { text: JSON.stringify({ type: 'subscribed', topics: this.#subscription.topics }) };
    }
    const { after, run } = await this.#subscription.add(frame.topics, frame.after, frame.cursor);
    return {
      text: JSON.stringify({ type: 'subscribed', topics: this.#subscription.topics, after }),
      after: run,
    };
  }

  /** A text, or a frame that is ready to be written: without compression, ws writes each at once and in order as well. */
  #send(frame: Buffer | string): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#socket.writableLength > this.#options.bufferCap)
      this.close(CLOSE.tryAgain, 'too slow: come back and subscribe after the last sequence');
    else if (typeof frame === 'string') this.#ws.send(frame);
    else this.#write(frame);
  }

  /** What comes in one turn, such as all events of a commit, goes out in one piece. */
  #write(frame: Buffer): void {
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#socket.uncork());
    }
    this.#socket.write(frame);
  }

  /** Until a slow reader has taken what waits for it; undefined: there is room. */
  #room(): Promise<void> | undefined {
    const socket = this.#socket;
    if (!socket.writableNeedDrain || socket.destroyed) return undefined;
    this.#draining ??= new Promise((resolve) => {
      const done = () => {
        socket.off('drain', done);
        socket.off('close', done);
        this.#draining = undefined;
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
    return this.#draining;
  }

  #lose(error: unknown): void {
    const { code } = asRefusal(error);
    if (code === 'unauthenticated' || code === 'forbidden') {
      this.close(CLOSE.unauthenticated, 'this sender is no longer known');
      return;
    }
    this.#options.log.warn({ err: error, connection: this.id }, 'a stream could not be read on');
    this.close(CLOSE.tryAgain, 'not available at the moment');
  }

  #release(): void {
    this.#closing = true;
    clearTimeout(this.#expiry);
    this.#subscription.stop();
  }
}
