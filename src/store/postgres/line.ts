import type { Waiting } from './waiting.ts';

type Counts = Record<string, number>;
type Named = { readonly name: string };

/**
 * What a store keeps of one workspace between its groups: who waits, and how often each table was written. The counts
 * are kept in the database with the end of the chain, so they tell of every process's writes.
 */
export class Line {
  readonly workspace: string;
  readonly waiting: Waiting[] = [];
  running: Promise<void> | undefined;
  #counts: Counts = {};
  /** The counts as the last group of ours left them; the counters below hold until somebody else changes them. */
  #left: string | undefined;
  #numbers = new Map<string, number>();
  /** The tables that the present group has written, one after another. */
  #log: string[] = [];
  /** Added to the counts, so that one that was seen before never comes again for other rows. */
  readonly #abandoned = new Map<string, number>();

  constructor(workspace: string) {
    this.workspace = workspace;
  }

  /** A group begins on these counts; returns the counters that are known to it. */
  begin(revisions: string, seq: number): Map<string, number> {
    this.#log = [];
    this.#counts = JSON.parse(revisions) as Counts;
    return this.#left === `${seq} ${revisions}` ? new Map(this.#numbers) : new Map();
  }

  wrote(table: string): void {
    this.#counts[table] = (this.#counts[table] ?? 0) + 1;
    this.#log.push(table);
  }

  /** How many writes there were by now. */
  get writes(): number {
    return this.#log.length;
  }

  /** The writes after so many were undone: what was read of those tables in between is no longer so. */
  undone(after: number): void {
    for (const table of new Set(this.#log.slice(after))) this.wrote(table);
  }

  /** The group's transaction was undone as a whole, and the counts with it. */
  abandoned(): void {
    if (this.#log.length === 0) return;
    // Once more than it was written, so that the next number is above the last one that was seen.
    for (const table of [...this.#log, ...new Set(this.#log)])
      this.#abandoned.set(table, (this.#abandoned.get(table) ?? 0) + 1);
    this.#log = [];
    this.#left = undefined;
  }

  /** The group's transaction is durable. */
  committed(seq: number, numbers: Map<string, number>): void {
    this.#log = [];
    this.#left = `${seq} ${this.revisions()}`;
    this.#numbers = numbers;
  }

  /** The counts as they are kept. */
  revisions(): string {
    return JSON.stringify(this.#counts);
  }

  revisionOf(tables: readonly Named[]): number {
    return this.#sum(this.#counts, tables);
  }

  /** The same of counts that are committed; NaN while a group of ours, of which nobody knows the end, has written. */
  revisionAt(revisions: string): (tables: readonly Named[]) => number {
    const counts = JSON.parse(revisions) as Counts;
    return (tables) =>
      tables.some(({ name }) => this.#log.includes(name)) ? Number.NaN : this.#sum(counts, tables);
  }

  #sum(counts: Counts, tables: readonly Named[]): number {
    let sum = 0;
    for (const { name } of tables) sum += (counts[name] ?? 0) + (this.#abandoned.get(name) ?? 0);
    return sum;
  }
}
