import { finish, giveBack, type Ending } from '../core/jobs/finishing.ts';
import { writeReceipts } from '../core/jobs/receipts.ts';
import type { Store, Tx } from '../core/store.ts';
import { jobs, type JobRow, type Outcome } from '../domain/job.ts';
import type { Attempt, AttemptParts } from './attempt.ts';
import { insistOn } from './insist.ts';

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
  readonly #giveUp: AbortSignal;
  readonly #random: () => number;
  /** What has been asked for since the last transaction began. */
  #joining: Waiting[] | undefined;

  constructor(
    { store, catalog, giveUp }: Pick<AttemptParts, 'store' | 'catalog' | 'giveUp'>,
    random: () => number,
  ) {
    this.#store = store;
    this.#workspace = catalog.workspace;
    this.#giveUp = giveUp;
    this.#random = random;
  }

  /**
   * Writes how a try ended, with its last lines and its receipts, however long the database is away. Resolves when it is
   * durable: to false when the claim was lost, which leaves the receipts alone.
   */
  finish(attempt: Attempt, ended: Outcome): Promise<boolean> {
    const write = (outcome: Outcome, again: boolean) => {
      let row: JobRow | undefined;
      return attempt.log.with(
        (tx) => this.#finish(tx, attempt, outcome, { again, ...(row && { row }) }),
        (work) =>
          this.write(attempt.job.id, (tx, found) => {
            row = found;
            return work(tx);
          }),
      );
    };
    return insistOn(ended, write, this.#giveUp);
  }

  /** `row`: the job as the transaction found it. */
  async #finish(
    tx: Tx,
    attempt: Attempt,
    outcome: Outcome,
    { row, again }: Pick<Ending, 'row' | 'again'>,
  ): Promise<boolean> {
    const { job, runbook, receipts, stopped } = attempt;
    const changed = await attempt.watch.end(tx);
    const found = row && !changed ? { row } : {};
    const ending = { runbook, receipts, random: this.#random, again: again === true, ...found };
    if (outcome.kind === 'wait') {
      await writeReceipts(tx, job, receipts);
      return true;
    }
    // What was counted as lost and is nobody else's yet goes on elsewhere all the same.
    const elsewhere = outcome.kind === 'cancelled' && (stopped === 'stopping' || stopped === 'lost');
    return elsewhere ? giveBack(tx, job, ending, outcome.usage) : finish(tx, job, { ...ending, outcome });
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
