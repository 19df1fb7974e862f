import { journal, type JournalEntry } from '../../domain/journal.ts';
import type { Row, Table } from '../../domain/table.ts';
import { TABLES } from '../../domain/tables.ts';
import { rowDecoder, type Cell } from '../codec.ts';
import { columnsOf } from '../schema.ts';
import { entryOf } from '../journal-entry.ts';

/** A table as it is copied: its columns by their names in SQL, in one order on both sides. */
export interface PlainTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: 'text' | 'int' }[];
  /** The column that orders a workspace's rows. */
  readonly order: string;
}

export type Cells = readonly Cell[];

/** A batch ends with the row that reaches either. */
export const BATCH_ROWS = 1_000;
export const BATCH_CHARACTERS = 2_000_000;

/** How much of a batch a row takes. */
export function charactersOf(row: Cells): number {
  let sum = 0;
  for (const cell of row) sum += typeof cell === 'string' ? cell.length : 8;
  return sum;
}

/** The counters behind the ids that people type; the one table without a description. */
const counters: PlainTable = {
  name: 'counters',
  columns: [
    { name: 'workspace', type: 'text' },
    { name: 'name', type: 'text' },
    { name: 'value', type: 'int' },
  ],
  order: 'name',
};

export const plainOf = (table: Table): PlainTable => ({
  name: table.name,
  columns: columnsOf(table),
  order: table === journal ? 'seq' : 'id',
});

/** All that a database of ours holds and a copy takes along. */
export const PLAIN_TABLES: readonly PlainTable[] = [counters, ...TABLES.map(plainOf)];

/** The columns as SQL lists them. */
export const columnList = ({ columns }: PlainTable): string =>
  columns.map(({ name }) => `"${name}"`).join(', ');

/** How to find a column's cell in a row. */
export function cellOf({ columns }: PlainTable, name: string): (row: Cells) => Cell {
  const index = columns.findIndex((column) => column.name === name);
  return (row) => row[index] ?? null;
}

const properties = columnsOf(journal).map(({ property }) => property);
const decode = rowDecoder(journal);

/** A row of the journal as the entry it is. @throws SyntaxError when its details are no JSON. */
export function entryOfCells(workspace: string, cells: Cells): JournalEntry {
  const raw = Object.fromEntries(properties.map((name, i) => [name, cells[i] ?? null]));
  return entryOf(workspace, decode(raw) as Row<typeof journal>);
}
