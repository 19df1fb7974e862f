/** What the fake sends on its own, behind the answer to the call that caused it. Whether it arrives is nobody's care. */
export class Echoes {
  readonly #under = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  /** Runs once the call under way was answered. */
  later(send: (signal: AbortSignal) => Promise<unknown>): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#under.add(promise);
    setImmediate(() => {
      void this.#run(send).finally(() => {
        this.#under.delete(promise);
        resolve();
      });
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#under.size > 0) await Promise.all(this.#under);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.settled();
  }

  async #run(send: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted) return;
    try {
      await send(signal);
    } catch {
      // As in Slack: an app that is not there is told nothing.
    }
  }
}
