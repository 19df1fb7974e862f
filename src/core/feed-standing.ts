import type { Principal } from '../domain/principal.ts';
import { mayRead } from './feed.ts';

/**
 * Who the reader of an open stream is at this moment. After a change of people, roles or keys nothing is readable until
 * it was looked up again; what may be read is remembered per event name in between.
 */
export class Standing {
  #who: Principal;
  readonly #lookup: () => Promise<Principal>;
  readonly #lost: (error: unknown) => void;
  readonly #readable = new Map<string, boolean>();
  #pending: Promise<void> | undefined;
  #doubts = 0;

  /** `lookup` throws when the reader is nobody any more; `lost` is told, and nothing is readable from then on. */
  constructor(who: Principal, lookup: () => Promise<Principal>, lost: (error: unknown) => void) {
    this.#who = who;
    this.#lookup = lookup;
    this.#lost = lost;
  }

  get who(): Principal {
    return this.#who;
  }

  mayRead(event: string): boolean {
    let answer = this.#readable.get(event);
    if (answer === undefined) {
      answer = this.#pending === undefined && mayRead(this.#who, event);
      if (this.#pending === undefined) this.#readable.set(event, answer);
    }
    return answer;
  }

  /** Until when a reader has to wait; undefined: it is as it should be. */
  ready(): Promise<void> | undefined {
    return this.#pending;
  }

  /** People, roles or keys have changed. */
  doubt(): void {
    this.#doubts += 1;
    this.#readable.clear();
    this.#pending ??= this.#look().catch((error: unknown) => this.#lost(error));
  }

  async #look(): Promise<void> {
    for (let seen = -1; seen !== this.#doubts; ) {
      seen = this.#doubts;
      // Others that hear of the same commit, caches of principals among them, come first.
      await Promise.resolve();
      this.#who = await this.#lookup();
    }
    this.#pending = undefined;
  }
}
