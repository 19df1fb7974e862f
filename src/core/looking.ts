import type { JournalEntry } from '../domain/journal.ts';
import type { Query, Row, Table, Where } from '../domain/table.ts';
import type { Queue } from './queue.ts';
import type { ReadTx, Store, Tx } from './store.ts';

/** Thrown by what cannot be done while looking. */
class NeedsTransaction extends Error {}

/**
 * Runs what is expected to read only, without waiting for writers or holding them up. Where it turns out to write after
 * all, such as the record of a denial, it is run again from the start in a transaction.
 */
export async function look<T>(
  store: Store,
  workspace: string,
  newId: () => string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  try {
    return await store.read(workspace, async (reading) => {
      const tx = new Looking(reading, newId);
      const result = await work(tx);
      // What somebody caught on the way is no less missing.
      if (tx.lacked) throw new NeedsTransaction();
      return result;
    });
  } catch (error) {
    if (error instanceof NeedsTransaction) return store.transaction(workspace, work);
    throw error;
  }
}

/** Reads in the place of a transaction. */
class Looking implements Tx {
  lacked = false;
  readonly #reading: ReadTx;
  readonly #newId: () => string;

  constructor(reading: ReadTx, newId: () => string) {
    this.#reading = reading;
    this.#newId = newId;
  }

  get workspace(): string {
    return this.#reading.workspace;
  }

  get now(): Date {
    return this.#reading.now;
  }

  get queue(): Queue {
    return this.#lack();
  }

  id(): string {
    return this.#newId();
  }

  get<T extends Table>(table: T, where: Where<T>): Promise<Row<T> | undefined> {
    return this.#reading.get(table, where);
  }

  find<T extends Table>(table: T, query?: Query<T>): Promise<Row<T>[]> {
    return this.#reading.find(table, query);
  }

  count<T extends Table>(table: T, where?: Where<T>): Promise<number> {
    return this.#reading.count(table, where);
  }

  revision(tables: readonly Table[]): number {
    return this.#reading.revision(tables);
  }

  attempt<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  async next(): Promise<number> {
    return this.#lack();
  }

  async insert<T extends Table>(): Promise<Row<T>> {
    return this.#lack();
  }

  async update<T extends Table>(): Promise<Row<T>> {
    return this.#lack();
  }

  async remove(): Promise<number> {
    return this.#lack();
  }

  async append(): Promise<JournalEntry> {
    return this.#lack();
  }

  #lack(): never {
    this.lacked = true;
    throw new NeedsTransaction();
  }
}
