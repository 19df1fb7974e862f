import type { SharedCounts } from '../core/minute-counter.ts';
import type { Store } from '../core/store.ts';

/** A store as whoever operates it sees it. */
export interface Database extends Store {
  /** Where it is, without a password. */
  readonly name: string;
  /** Where all processes of this database count messages; undefined: there is one process. */
  readonly counts: SharedCounts | undefined;
  /** The number of the newest migration, as it was when this store was opened. */
  readonly schema: number;
  /** The same as it is now: a newer program may have migrated the database in the meantime. */
  currentSchema(): Promise<number>;
  /** What the database finds wrong with itself, if anything. May read all of it. */
  integrity(): Promise<string | undefined>;
}
