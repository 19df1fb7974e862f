import type { Tx } from '../../core/store.ts';

/** A callback that waits for its turn. */
export interface Waiting {
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /**
   * Set once something of it had to be undone or refused by the database: then it runs inside savepoints and waits for
   * the answer of each write. All others run without, since hardly any needs them.
   */
  careful: boolean;
}

/** The group has to be run again, this callback with care. */
export class Repeat extends Error {
  readonly culprit: Waiting;

  constructor(culprit: Waiting, cause: unknown) {
    super('to be run again', { cause });
    this.culprit = culprit;
  }
}
