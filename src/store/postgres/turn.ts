/**
 * A callback that awaits `tx` alone either waits for an answer of the database or goes on within the turn of the event
 * loop that brought it. One that does neither waits for something else, and would hold every other command's commit: it
 * is thrown out.
 */
export class Turn {
  /** Endless while nothing runs: then nobody can be thrown out. */
  #asked = Number.POSITIVE_INFINITY;
  #idle: NodeJS.Immediate | undefined;
  readonly #late = Promise.withResolvers<never>();

  /** The callback's result. @throws Error when it waits for anything but what is asked `during` it. */
  async of<T>(running: () => Promise<T>): Promise<T> {
    this.#asked = 0;
    this.#watch();
    try {
      return await Promise.race([running(), this.#late.promise]);
    } finally {
      clearImmediate(this.#idle);
      this.#asked = Number.POSITIVE_INFINITY;
    }
  }

  async during<T>(answer: Promise<T>): Promise<T> {
    this.#asked += 1;
    clearImmediate(this.#idle);
    try {
      return await answer;
    } finally {
      this.#asked -= 1;
      if (this.#asked === 0) this.#watch();
    }
  }

  #watch(): void {
    clearImmediate(this.#idle);
    this.#idle = setImmediate(() =>
      this.#late.reject(new Error('A handler held the transaction: it may await nothing but ctx.tx.')),
    );
  }
}
