import { bigint } from 'drizzle-orm/pg-core/columns/bigint';
import { text } from 'drizzle-orm/pg-core/columns/text';
import { pgTable } from 'drizzle-orm/pg-core/table';
import type { Table } from '../../domain/table.ts';
import type { Dialect } from '../schema.ts';
import { TableStatements, type Writing } from '../statements.ts';

/** A statement that a connection plans once and then knows by its name. */
export interface Named {
  readonly name: string;
  readonly text: string;
}

const postgresDialect = {
  table: pgTable,
  text,
  int: (name: string) => bigint(name, { mode: 'number' }),
} as unknown as Dialect;

let names = 0;
/** A statement under a name of its own. */
export const named = (sql: string): Named => ({ name: `s${(names += 1)}`, text: sql });

const WRITING: Writing<Named> = {
  dialect: postgresDialect,
  placeholder: (place) => `$${place + 1}`,
  lists: true,
  prepare: named,
};

const tables = new Map<Table, TableStatements<Named>>();

/** The statements of a table; the same for every connection. */
export function statementsOf(table: Table): TableStatements<Named> {
  let found = tables.get(table);
  if (!found) {
    found = new TableStatements(WRITING, table);
    tables.set(table, found);
  }
  return found;
}
