import type { Cells, PlainTable } from './plain.ts';

/** A database that a copy reads: one consistent state of it, workspace by workspace. */
export interface Source {
  /** What people call it; without a password. */
  readonly name: string;
  /** The number of the newest migration that was applied to it. */
  readonly schema: number;
  /** By its own clock; undefined where it has none but this machine's. */
  now(): Promise<Date | undefined>;
  workspaces(): Promise<string[]>;
  /** All rows of a workspace, in batches, ordered by the table's `order`. */
  rows(table: PlainTable, workspace: string): AsyncIterable<readonly Cells[]>;
  /** How many rows a workspace has, of those in one of the states if any are named. */
  count(table: PlainTable, workspace: string, states?: readonly string[]): Promise<number>;
  /** Lets go of it; writes nothing. */
  close(): Promise<void>;
}

/** The end of a workspace's chain. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** An empty database that a copy fills. Nobody else sees anything of it before `commit`; `close` before that leaves nothing. */
export interface Target extends Source {
  /** Makes the workspace known, before its rows. */
  open(workspace: string, head: Head | undefined): Promise<void>;
  insert(table: PlainTable, rows: readonly Cells[]): Promise<void>;
  commit(): Promise<void>;
}
