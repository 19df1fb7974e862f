import type { Database, Statement } from 'better-sqlite3';
import type { Query, Table, Where } from '../../domain/table.ts';
import type { Cell } from '../codec.ts';
import { sqliteDialect } from '../schema.ts';
import { TableStatements, type Value } from '../statements.ts';

type Prepared = Statement<[Value[]], Record<string, Cell>>;

/**
 * A bare `?` that is compared with a column in a statement with ORDER BY is taken for a hint (SQLite 3.54), and the
 * statement is planned anew for each value that is bound to it, which costs five times what running it does.
 */
const PLACEHOLDER = '+?';

/** The statements of one table, run on one connection. */
export class Statements {
  readonly #statements: TableStatements<Prepared>;

  constructor(db: Database, table: Table) {
    const writing = {
      dialect: sqliteDialect,
      placeholder: () => PLACEHOLDER,
      lists: false,
      prepare: (text: string) => db.prepare<[Value[]], Record<string, Cell>>(text),
    };
    this.#statements = new TableStatements(writing, table);
  }

  insert(workspace: string, row: Record<string, unknown>): void {
    const { statement, values } = this.#statements.insert(workspace, row);
    statement.run(values);
  }

  /** Returns whether the row still had that version. */
  update(workspace: string, id: string, version: number, patch: Record<string, unknown>): boolean {
    const { statement, values } = this.#statements.update(workspace, id, version, patch);
    return statement.run(values).changes === 1;
  }

  remove<T extends Table>(workspace: string, where: Where<T>): number {
    const { statement, values } = this.#statements.remove(workspace, where);
    return statement.run(values).changes;
  }

  find<T extends Table>(workspace: string, query: Query<T>): Record<string, unknown>[] {
    const { statement, values } = this.#statements.find(workspace, query);
    return statement.all(values).map(this.#statements.decode);
  }

  count<T extends Table>(workspace: string, where: Where<T>): number {
    const { statement, values } = this.#statements.count(workspace, where);
    return statement.get(values)?.['n'] as number;
  }
}
