import type { Socket } from 'node:net';
import type { PoolClient, QueryResult } from 'pg';
import type { Value } from '../statements.ts';
import { socketOf } from './client.ts';
import type { Named } from './dialect.ts';
import { refuseNul } from './storage-errors.ts';

/** Milliseconds after which a connection is cut: whoever does not answer by then is taken for gone. */
export interface Patience {
  /** Until the first answer. */
  readonly first: number;
  /** Until the connection is given back. */
  readonly all: number;
}

type Settled = (error: Error | null, result: QueryResult) => void;

/**
 * One pooled connection for as long as one transaction takes. What is sent does not wait for the answers before it, so a
 * transaction waits only where it needs to know.
 */
export class Session {
  readonly #client: PoolClient;
  readonly #socket: Socket;
  readonly #patience: Patience;
  #watch: NodeJS.Timeout;
  #answered = false;
  /** Answers that are still to come. */
  #due = 0;
  #allIn: PromiseWithResolvers<void> | undefined;
  #corked = false;
  #lost = false;
  readonly #onError = () => (this.#lost = true);

  /** `silent` is told when the first answer did not come. */
  constructor(client: PoolClient, patience: Patience, silent: () => void) {
    this.#client = client;
    this.#socket = socketOf(client);
    this.#patience = patience;
    client.on('error', this.#onError);
    this.#watch = setTimeout(() => {
      // What came while this process was busy is read before it is judged.
      setImmediate(() => {
        if (this.#answered) return;
        this.#socket.destroy();
        silent();
      });
    }, patience.first);
  }

  /** Sends a statement; `settled` hears what became of it. @throws Refusal for text that cannot be stored. */
  send(statement: Named | string, values: readonly Value[], settled: Settled): void {
    for (const value of values) {
      if (typeof value === 'string') refuseNul(value);
      else if (Array.isArray(value)) for (const cell of value) if (typeof cell === 'string') refuseNul(cell);
    }
    this.#cork();
    this.#due += 1;
    const query = typeof statement === 'string' ? { text: statement } : statement;
    this.#client.query(
      { ...query, values: values as unknown[] },
      (error: Error | null, result: QueryResult) => {
        if (!this.#answered) this.#hear();
        settled(error, result);
        this.#due -= 1;
        if (this.#due === 0) this.#allIn?.resolve();
      },
    );
  }

  /** Sends a statement and resolves with its answer. */
  ask(statement: Named | string, values: readonly Value[] = []): Promise<QueryResult> {
    const { promise, resolve, reject } = Promise.withResolvers<QueryResult>();
    this.send(statement, values, (error, result) => (error ? reject(error) : resolve(result)));
    return promise;
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    if (this.#due === 0) return;
    this.#allIn ??= Promise.withResolvers<void>();
    await this.#allIn.promise;
    this.#allIn = undefined;
  }

  #hear(): void {
    this.#answered = true;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#socket.destroy(), this.#patience.all);
  }

  /** Gives the connection back; `broken`: to be thrown away. */
  release(broken: boolean): void {
    this.#answered = true;
    clearTimeout(this.#watch);
    this.#client.off('error', this.#onError);
    const lost = broken || this.#lost;
    // The pool only says goodbye; what is gone may never answer that.
    if (lost) this.#socket.destroy();
    this.#client.release(lost);
  }

  /** What is sent in one turn leaves in one piece. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#socket.uncork();
    });
  }
}
