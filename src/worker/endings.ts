import type { Store, Tx } from '../core/store.ts';
import { jobs, type JobRow } from '../domain/job.ts';

/** What is to be written of one job; it is given the job's row as the transaction sees it. */
type Work<T> = (tx: Tx, row: JobRow | undefined) => Promise<T>;

interface Waiting {
  readonly job: string;
  readonly work: Work<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** In one transaction at most: it holds others up as long as it takes. */
const MOST = 64;

/**
 * Writes the ends of jobs, those that come at about the same time in one transaction: their rows are read at once,
 * which where the database is elsewhere is one answer to wait for instead of one for each.
 */
export class Endings {
  readonly #store: Store;
  readonly #workspace: string;
  /** What has been asked for since the last transaction began. */
  #joining: Waiting[] | undefined;

  constructor(store: Store, workspace: string) {
    this.#store = store;
    this.#workspace = workspace;
  }

  /** Resolves when it is durable. @throws what `work` throws, with nothing of it written. */
  write<T>(job: string, work: Work<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiting = { job, work, resolve: resolve as (value: unknown) => void, reject };
    if (this.#joining && this.#joining.length < MOST) this.#joining.push(waiting);
    else void this.#begin(waiting);
    return promise;
  }

  async #begin(first: Waiting): Promise<void> {
    const all = [first];
    this.#joining = all;
    try {
      const values = await this.#store.transaction(this.#workspace, (tx) => {
        if (this.#joining === all) this.#joining = undefined;
        return writeAll(tx, all);
      });
      for (const [i, { resolve }] of all.entries()) resolve(values[i]);
    } catch (error) {
      if (this.#joining === all) this.#joining = undefined;
      // One of them fails for all: each is tried by itself.
      if (all.length === 1) first.reject(error);
      else for (const waiting of all) void this.#alone(waiting);
    }
  }

  async #alone(waiting: Waiting): Promise<void> {
    try {
      const [value] = await this.#store.transaction(this.#workspace, (tx) => writeAll(tx, [waiting]));
      waiting.resolve(value);
    } catch (error) {
      waiting.reject(error);
    }
  }
}

async function writeAll(tx: Tx, all: readonly Waiting[]): Promise<unknown[]> {
  const rows = await tx.find(jobs, { where: { id: { in: all.map(({ job }) => job) } }, limit: all.length });
  const byId = new Map(rows.map((row) => [row.id, row]));
  const values: unknown[] = [];
  for (const { job, work } of all) values.push(await work(tx, byId.get(job)));
  return values;
}
