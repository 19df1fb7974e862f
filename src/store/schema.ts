// Each by its own path: Node reads drizzle's package.json, 180 kB of it, once more for every file that is loaded.
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core/columns/common';
import { integer } from 'drizzle-orm/sqlite-core/columns/integer';
import { text } from 'drizzle-orm/sqlite-core/columns/text';
import { sqliteTable, type SQLiteTable } from 'drizzle-orm/sqlite-core/table';
import type { ColumnKind, Table } from '../domain/table.ts';

/** `createdAt` → `created_at`: one spelling in SQL, one in code. */
const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

/** What a dialect offers; the PostgreSQL one is cast to this, the SQL it makes differs, the types do not. */
export interface Dialect {
  readonly table: typeof sqliteTable;
  readonly text: typeof text;
  readonly int: typeof integer;
}

export const sqliteDialect: Dialect = { table: sqliteTable, text, int: integer };

export type DrizzleTable = SQLiteTable & Readonly<Record<string, SQLiteColumn>>;

const NUMERIC: ReadonlySet<ColumnKind> = new Set(['int', 'bool', 'time']);

/** Columns that every table has and no caller writes. */
const OWN = { workspace: 'text', id: 'text', version: 'int' } as const;

/** The columns of a table: what code calls them, what SQL does, and how they are kept. */
export function columnsOf(table: Table): { property: string; name: string; type: 'text' | 'int' }[] {
  const kinds: [string, ColumnKind][] = [
    ...Object.entries(OWN),
    ...Object.entries(table.columns).map(([name, c]): [string, ColumnKind] => [name, c.kind]),
  ];
  return kinds.map(([property, kind]) => ({
    property,
    name: snake(property),
    type: NUMERIC.has(kind) ? 'int' : 'text',
  }));
}

/** Compiles a table description to the dialect's drizzle table. Values pass through our own codec, not drizzle's. */
export function buildTable(dialect: Dialect, table: Table): DrizzleTable {
  const columns = Object.fromEntries(
    columnsOf(table).map(({ property, name, type }) => [
      property,
      type === 'int' ? dialect.int(name) : dialect.text(name),
    ]),
  );
  return dialect.table(table.name, columns);
}
