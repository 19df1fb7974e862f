import type { JournalEntry, NewEntry } from '../domain/journal.ts';
import type { NewRow, Patch, Query, Row, Table, Where } from '../domain/table.ts';
import type { Queue } from './queue.ts';

/**
 * The store port. Implementations may run a callback again after a conflict, so a callback decides and writes through
 * `tx` alone and awaits nothing else; an implementation aborts one that holds the transaction open for other work.
 */
export interface Store {
  /**
   * Runs `work` as one transaction of one workspace. Resolves after the commit is durable, so nobody is answered
   * earlier. @throws what `work` throws, with nothing written; `unavailable` when the database is locked, full or away.
   */
  transaction<T>(workspace: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Runs `work` on a consistent state of one workspace without waiting for writers or holding them up. What it reads may
   * be out of date when it is acted on, so it is for looking, not for deciding. @throws as `transaction` does.
   */
  read<T>(workspace: string, work: (tx: ReadTx) => Promise<T>): Promise<T>;
  /** Called after each durable commit, in commit order. Returns the way to stop listening. */
  onCommit(listener: (commit: Commit) => void): () => void;
  /** Journal entries with `seq > after`, oldest first. */
  history(workspace: string, after: number, limit: number): Promise<JournalEntry[]>;
  /** The newest sequence of the workspace's journal; 0 when it is empty. */
  head(workspace: string): Promise<number>;
  workspaces(): Promise<string[]>;
  /** Resolves when the database answers a read and a write lock; throws `unavailable` otherwise. */
  ping(): Promise<void>;
  /** Waits for what is queued, then closes. Later calls throw `unavailable`. */
  close(): Promise<void>;
}

export interface Commit {
  readonly workspace: string;
  /** New journal entries, in order, also those that another process wrote. */
  readonly entries: readonly JournalEntry[];
  /** Names of the tables that were written. */
  readonly tables: ReadonlySet<string>;
}

/** Reads of one workspace, at one instant. */
export interface ReadTx {
  readonly workspace: string;
  readonly now: Date;
  get<T extends Table>(table: T, where: Where<T>): Promise<Row<T> | undefined>;
  find<T extends Table>(table: T, query?: Query<T>): Promise<Row<T>[]>;
  count<T extends Table>(table: T, where?: Where<T>): Promise<number>;
  /**
   * The same number as before only if no row of these tables has changed since, as seen here: what was made of them then
   * still holds. A store that cannot tell answers NaN.
   */
  revision(tables: readonly Table[]): number;
}

/** Reads and writes of one workspace inside one transaction, at one instant. */
export interface Tx extends ReadTx {
  /** What hands queued jobs to workers. */
  readonly queue: Queue;
  /** A new UUIDv7. */
  id(): string;
  /** The next number of a counter, from 1: `next('TSK')` → 12. */
  next(counter: string): Promise<number>;
  /**
   * A second row of the same key is a Refusal `conflict`; a store may say so only at the end of the `attempt` around it,
   * or of the callback, so whoever can do without the row puts the insert into an `attempt` of its own.
   */
  insert<T extends Table>(table: T, row: NewRow<T>): Promise<Row<T>>;
  /** Writes the patch and raises `version`. @throws Refusal `stale` when the row is no longer the version given. */
  update<T extends Table>(table: T, row: Row<T>, patch: Patch<T>): Promise<Row<T>>;
  /** Deletes what matches; an empty condition is refused. Returns how many. */
  remove<T extends Table>(table: T, where: Where<T>): Promise<number>;
  /** Appends to the workspace's journal; the entry is chained, redacted and numbered here. */
  append(entry: NewEntry): Promise<JournalEntry>;
  /** Runs `work`; if it throws, only its own writes are undone and the error is passed on. */
  attempt<T>(work: () => Promise<T>): Promise<T>;
}
