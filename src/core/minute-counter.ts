import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** What all processes together have counted under a key. */
export interface Count {
  readonly counted: number;
  /** Milliseconds until the key's present minute is over. */
  readonly msBeforeNext: number;
}

/** Counts the messages of all processes in one place. */
export interface SharedCounts {
  /** Adds to what anybody has counted under these keys in their present minute; returns the sums. */
  add(messages: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, Count>>;
}

/** How often this process tells the others what it counted, in milliseconds: by so much a shared limit may be overrun. */
const TELL_EVERY = 100;

/**
 * So many messages a minute under a key. Counting is done here at once; where other processes count as well, the sums
 * are exchanged several times a second instead of with each message, and a key that all of them together have used up is
 * refused by each. While they cannot be exchanged, each process holds to the limit by itself.
 */
export class MinuteCounter {
  readonly points: number;
  readonly #own: RateLimiterMemory;
  readonly #shared: SharedCounts | undefined;
  /** Counted here and told nobody yet. */
  #due = new Map<string, number>();
  #telling = false;

  constructor(points: number, shared: SharedCounts | undefined) {
    this.points = points;
    this.#own = new RateLimiterMemory({ points, duration: 60 });
    this.#shared = shared;
  }

  /** Counts one message; returns the milliseconds to wait where there are too many, undefined otherwise. */
  async consume(key: string): Promise<number | undefined> {
    try {
      await this.#own.consume(key);
    } catch (met) {
      if (!(met instanceof RateLimiterRes)) throw met;
      return met.msBeforeNext;
    }
    if (this.#shared) {
      this.#due.set(key, (this.#due.get(key) ?? 0) + 1);
      this.#tellSoon(this.#shared);
    }
    return undefined;
  }

  /** One exchange at a time, however long it takes: what is counted meanwhile goes with the next. */
  #tellSoon(shared: SharedCounts): void {
    if (this.#telling || this.#due.size === 0) return;
    this.#telling = true;
    setTimeout(() => {
      void this.#tell(shared).then(() => {
        this.#telling = false;
        this.#tellSoon(shared);
      });
    }, TELL_EVERY).unref();
  }

  async #tell(shared: SharedCounts): Promise<void> {
    const told = this.#due;
    this.#due = new Map();
    try {
      for (const [key, { counted, msBeforeNext }] of await shared.add(told))
        if (counted >= this.points && msBeforeNext > 0) await this.#own.block(key, msBeforeNext / 1_000);
    } catch {
      // Away; what was counted here holds.
    }
  }
}
