import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** Counts the messages of all processes in one place. */
export interface SharedCounts {
  /**
   * Adds to what anybody has counted under this key in its present minute; returns the sum, and the milliseconds until
   * it starts anew.
   */
  add(key: string, messages: number): Promise<{ counted: number; msBeforeNext: number }>;
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
  readonly #due = new Map<string, number>();

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
      if (this.#due.size === 0) setTimeout(() => this.#tell(), TELL_EVERY).unref();
      this.#due.set(key, (this.#due.get(key) ?? 0) + 1);
    }
    return undefined;
  }

  #tell(): void {
    for (const [key, messages] of this.#due) {
      this.#shared?.add(key, messages).then(
        ({ counted, msBeforeNext }) => {
          if (counted >= this.points) void this.#own.block(key, msBeforeNext / 1_000);
        },
        () => undefined, // away; what was counted here holds
      );
    }
    this.#due.clear();
  }
}
