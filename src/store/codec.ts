import type { ColumnKind, Table } from '../domain/table.ts';

export type Cell = string | number | null;

/** A value as both dialects store it: JSON as text, instants as epoch milliseconds, booleans as 0 and 1. */
export function encode(kind: ColumnKind, value: unknown): Cell {
  if (value === null || value === undefined) return null;
  switch (kind) {
    case 'json':
      return JSON.stringify(value);
    case 'time':
      return (value as Date).getTime();
    case 'bool':
      return value ? 1 : 0;
    default:
      return value as Cell;
  }
}

function decodeCell(kind: ColumnKind, cell: Cell): unknown {
  if (cell === null) return null;
  switch (kind) {
    case 'json':
      return JSON.parse(cell as string);
    case 'time':
      return new Date(cell);
    case 'bool':
      return cell === 1;
    default:
      return cell;
  }
}

/** The kind of any column, the store's own included. */
export function kindOf(table: Table, column: string): ColumnKind {
  if (column === 'id') return 'text';
  if (column === 'version') return 'int';
  const found = table.columns[column];
  if (!found) throw new TypeError(`table ${table.name} has no column ${column}`);
  return found.kind;
}

/** A decoder of rows of one table; made once, so that a row costs only its cells that need work. */
export function rowDecoder(table: Table): (raw: Record<string, Cell>) => Record<string, unknown> {
  const special = Object.entries(table.columns).filter(([, c]) => c.kind !== 'text' && c.kind !== 'int');
  return (raw) => {
    const row: Record<string, unknown> = raw;
    for (const [name, { kind }] of special) row[name] = decodeCell(kind, raw[name] ?? null);
    return row;
  };
}
