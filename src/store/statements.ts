import {
  and,
  asc,
  desc,
  eq,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  lte,
  ne,
  sql,
  type SQL,
} from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Query, Table, Where } from '../domain/table.ts';
import { encode, kindOf, rowDecoder, type Cell } from './codec.ts';
import { buildTable, sqliteDialect, type DrizzleTable } from './schema.ts';

type Cells = Record<string, Cell>;
interface Runnable {
  run(values: Cells): { changes: number };
}
interface Readable {
  all(values: Cells): Cells[];
}

const COMPARE = { below: lt, atMost: lte, above: gt, atLeast: gte } as const;
/** After every text that starts with the prefix: no code point of valid text sorts higher. */
const LAST = '\u{10ffff}';
const ROWS = 500;

/** The conditions of a query: SQL with placeholders, once per shape, and the values of this call. */
interface Filter {
  readonly shape: string;
  readonly values: Cells;
  readonly build: () => SQL | undefined;
}

/** The prepared statements of one table, built through drizzle on first use and kept by the shape of the call. */
export class Statements {
  readonly #db: BetterSQLite3Database;
  readonly #table: Table;
  readonly #drizzle: DrizzleTable;
  readonly #decode: (raw: Cells) => Record<string, unknown>;
  readonly #columns: readonly string[];
  readonly #reads = new Map<string, Readable>();
  readonly #writes = new Map<string, Runnable>();

  constructor(db: BetterSQLite3Database, table: Table) {
    this.#db = db;
    this.#table = table;
    this.#drizzle = buildTable(sqliteDialect, table);
    this.#decode = rowDecoder(table);
    this.#columns = ['id', 'version', ...Object.keys(table.columns)];
  }

  insert(workspace: string, row: Record<string, unknown>): void {
    let statement = this.#writes.get('insert');
    if (!statement) {
      const placeholders = ['workspace', ...this.#columns].map((name) => [name, sql.placeholder(name)]);
      statement = this.#db
        .insert(this.#drizzle)
        .values(Object.fromEntries(placeholders))
        .prepare() as Runnable;
      this.#writes.set('insert', statement);
    }
    const cells: Cells = { workspace };
    for (const name of this.#columns) {
      if (row[name] === undefined) throw new TypeError(`${this.#table.name}.${name} is missing`);
      cells[name] = encode(kindOf(this.#table, name), row[name]);
    }
    statement.run(cells);
  }

  /** Returns whether the row still had that version. */
  update(workspace: string, id: string, version: number, patch: Record<string, unknown>): boolean {
    const names = Object.keys(patch);
    const shape = `update:${names.join()}`;
    let statement = this.#writes.get(shape);
    if (!statement) {
      const set = Object.fromEntries(names.map((name) => [name, sql.placeholder(`set_${name}`)]));
      const t = this.#drizzle;
      statement = this.#db
        .update(t)
        .set({ ...set, version: sql`${this.#column('version')} + 1` })
        .where(
          and(
            eq(this.#column('workspace'), sql.placeholder('workspace')),
            eq(this.#column('id'), sql.placeholder('id')),
            eq(this.#column('version'), sql.placeholder('version')),
          ),
        )
        .prepare() as Runnable;
      this.#writes.set(shape, statement);
    }
    const cells: Cells = { workspace, id, version };
    for (const name of names) cells[`set_${name}`] = encode(kindOf(this.#table, name), patch[name]);
    return statement.run(cells).changes === 1;
  }

  remove<T extends Table>(workspace: string, where: Where<T>): number {
    const filter = this.#filter(workspace, where);
    const shape = `remove:${filter.shape}`;
    let statement = this.#writes.get(shape);
    if (!statement) {
      statement = this.#db.delete(this.#drizzle).where(filter.build()).prepare() as Runnable;
      this.#writes.set(shape, statement);
    }
    return statement.run(filter.values).changes;
  }

  find<T extends Table>(workspace: string, query: Query<T>): Record<string, unknown>[] {
    const filter = this.#filter(workspace, query.where ?? {});
    const order = (query.orderBy ?? []).map((o) => `${o.column}${o.descending ? '-' : '+'}`).join();
    const shape = `find:${filter.shape}:${order}`;
    let statement = this.#reads.get(shape);
    if (!statement) {
      const columns = Object.fromEntries(this.#columns.map((name) => [name, this.#column(name)]));
      const sorted = (query.orderBy ?? []).map((o) => (o.descending ? desc : asc)(this.#column(o.column)));
      statement = this.#db
        .select(columns)
        .from(this.#drizzle)
        .where(filter.build())
        .orderBy(...sorted)
        .limit(sql.placeholder('rows'))
        .prepare() as unknown as Readable;
      this.#reads.set(shape, statement);
    }
    filter.values['rows'] = query.limit ?? ROWS;
    return statement.all(filter.values).map(this.#decode);
  }

  count<T extends Table>(workspace: string, where: Where<T>): number {
    const filter = this.#filter(workspace, where);
    const shape = `count:${filter.shape}`;
    let statement = this.#reads.get(shape);
    if (!statement) {
      const n = sql<number>`count(*)`.as('n');
      const built = this.#db.select({ n }).from(this.#drizzle).where(filter.build()).prepare();
      statement = built as unknown as Readable;
      this.#reads.set(shape, statement);
    }
    return statement.all(filter.values)[0]?.['n'] as number;
  }

  #column(name: string): SQLiteColumn {
    const found = this.#drizzle[name];
    if (!found) throw new TypeError(`table ${this.#table.name} has no column ${name}`);
    return found;
  }

  /** Every condition begins with the workspace, so no call can read another's rows. */
  #filter(workspace: string, where: object): Filter {
    const values: Cells = { workspace };
    const parts: (() => SQL | undefined)[] = [
      () => eq(this.#column('workspace'), sql.placeholder('workspace')),
    ];
    let shape = '';
    for (const [name, condition] of Object.entries(where)) {
      if (condition === undefined) continue;
      for (const [op, value] of operators(condition)) {
        const key = `${name}_${op}`;
        shape += `${key}${Array.isArray(value) ? value.length : value === null ? '0' : ''},`;
        parts.push(this.#condition(name, op, value, key, values));
      }
    }
    return { shape, values, build: () => and(...parts.map((part) => part())) };
  }

  #condition(name: string, op: string, value: unknown, key: string, values: Cells): () => SQL | undefined {
    const column = this.#column(name);
    const kind = kindOf(this.#table, name);
    const holder = sql.placeholder(key);
    if (value === null) return () => (op === 'not' ? isNotNull(column) : isNull(column));
    if (op === 'in') {
      const list = value as readonly unknown[];
      list.forEach((item, i) => {
        values[`${key}${i}`] = encode(kind, item);
      });
      return () =>
        list.length === 0
          ? sql`0`
          : inArray(
              column,
              list.map((_, i) => sql.placeholder(`${key}${i}`)),
            );
    }
    if (op === 'prefix') {
      values[key] = value as string;
      values[`${key}_end`] = `${value as string}${LAST}`;
      return () => and(gte(column, holder), lt(column, sql.placeholder(`${key}_end`)));
    }
    values[key] = encode(kind, value);
    if (op === 'not') return () => sql`(${ne(column, holder)} or ${isNull(column)})`;
    const compare = op === 'eq' ? eq : COMPARE[op as keyof typeof COMPARE];
    return () => compare(column, holder);
  }
}

/** A bare value is equality; an object of operators gives each of them. */
function operators(condition: unknown): [string, unknown][] {
  const plain =
    condition === null ||
    typeof condition !== 'object' ||
    condition instanceof Date ||
    Object.getPrototypeOf(condition) !== Object.prototype;
  return plain ? [['eq', condition]] : Object.entries(condition).filter(([, v]) => v !== undefined);
}
