/**
 * Counts what may have changed in each table, so that what was read can be kept until then. Rows that are written count
 * at once, before their commit; whatever is undone or comes from another process counts for every table.
 */
export class Revisions {
  readonly #tables = new Map<string, number>();
  #all = 0;

  wrote(table: string): void {
    this.#tables.set(table, (this.#tables.get(table) ?? 0) + 1);
  }

  undone(): void {
    this.#all += 1;
  }

  /** Rises with each change of any of the tables. */
  of(tables: readonly { readonly name: string }[]): number {
    let sum = this.#all;
    for (const { name } of tables) sum += this.#tables.get(name) ?? 0;
    return sum;
  }
}
