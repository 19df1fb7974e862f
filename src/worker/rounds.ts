/**
 * Work that is done again and again, at intervals and when it is asked for, one round at a time. However often it is
 * asked for while a round is under way (a database that hangs makes it a long one), one more follows.
 */
export class Rounds {
  readonly #work: () => Promise<unknown>;
  readonly #every: number;
  #timer: NodeJS.Timeout | undefined;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  /** `work` never rejects; `every`: milliseconds. */
  constructor(work: () => Promise<unknown>, every: number) {
    this.#work = work;
    this.#every = every;
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.now(), this.#every);
  }

  /** Resolves after a round that began no earlier than this call. */
  now(): Promise<void> {
    if (this.#next) return this.#next;
    if (!this.#current) return this.#round();
    this.#next = this.#current.then(() => {
      this.#next = undefined;
      return this.#round();
    });
    return this.#next;
  }

  /** Begins no more at intervals; resolves when nothing is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await (this.#next ?? this.#current);
  }

  #round(): Promise<void> {
    const round = this.#work().then(() => {
      if (this.#current === round) this.#current = undefined;
    });
    this.#current = round;
    return round;
  }
}
