import type { PageMessage } from './world.ts';

/** Far above the count with which the fake numbers its messages within a second. */
const FIRST = 900_000;

/** What people say to one another in a channel: the app hears nothing of it until a shortcut shows it one. */
export class Chatter {
  readonly messages: PageMessage[] = [];
  readonly #now: () => Date;

  constructor(now: () => Date) {
    this.#now = now;
  }

  say(message: Pick<PageMessage, 'channel' | 'user' | 'text' | 'thread_ts'>): void {
    const seconds = Math.floor(this.#now().getTime() / 1_000);
    this.messages.push({ ...message, ts: `${seconds}.${FIRST + this.messages.length}`, blocks: [] });
  }
}
