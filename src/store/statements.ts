import { CasingCache } from 'drizzle-orm/casing';
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
  notInArray,
} from 'drizzle-orm/sql/expressions';
import { sql, type SQL } from 'drizzle-orm/sql/sql';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core/columns/common';
import type { ColumnKind, Query, Table, Where } from '../domain/table.ts';
import { encode, kindOf, rowDecoder, type Cell } from './codec.ts';
import { buildTable, type Dialect, type DrizzleTable } from './schema.ts';

/** What a placeholder stands for: a cell, or a list of them where the database takes lists. */
export type Value = Cell | Cell[];

/** How one database wants its statements. */
export interface Writing<P> {
  readonly dialect: Dialect;
  /** The placeholder of the value at this place, from 0. */
  placeholder(place: number): string;
  /** Whether a list of values is one value; otherwise each has a placeholder of its own. */
  readonly lists: boolean;
  prepare(text: string): P;
}

/** A prepared statement with its values. */
export interface Bound<P> {
  readonly statement: P;
  readonly values: Value[];
}

const COMPARE = { below: lt, atMost: lte, above: gt, atLeast: gte } as const;
/** After every text that starts with the prefix: no code point of valid text sorts higher. */
const LAST = '\u{10ffff}';
const ROWS = 500;
const VALUE = sql.placeholder('value');
/** A bare placeholder would be taken for a hint, and the statement planned anew for each value that is bound to it. */
const LIMIT = sql`(${VALUE} + 0)`;
const MOST_ROWS = 2 ** 31 - 1;

/** The conditions of one call: what they look like, and their values in the order of the placeholders. */
interface Filter {
  readonly shape: string;
  readonly values: Value[];
}

/**
 * The statements of one table. Drizzle writes each once, on first use; it is kept by the shape of the call and run by
 * the driver itself, since going through drizzle each time costs more than the statement.
 */
export class TableStatements<P> {
  /** A row as the database gives it, as the row it is. */
  readonly decode: (raw: Record<string, Cell>) => Record<string, unknown>;
  readonly #writing: Writing<P>;
  readonly #table: Table;
  readonly #drizzle: DrizzleTable;
  readonly #columns: readonly (readonly [name: string, kind: ColumnKind])[];
  readonly #prepared = new Map<string, P>();

  constructor(writing: Writing<P>, table: Table) {
    this.#writing = writing;
    this.#table = table;
    this.#drizzle = buildTable(writing.dialect, table);
    this.decode = rowDecoder(table);
    const names = ['id', 'version', ...Object.keys(table.columns)];
    this.#columns = names.map((name) => [name, kindOf(table, name)]);
  }

  insert(workspace: string, row: Record<string, unknown>): Bound<P> {
    const cells: Value[] = [workspace];
    for (const [name, kind] of this.#columns) {
      const value = row[name];
      if (value === undefined) throw new TypeError(`${this.#table.name}.${name} is missing`);
      cells.push(encode(kind, value));
    }
    const statement = this.#prepare('insert', () => {
      const names = ['workspace', ...this.#columns.map(([name]) => name)].map((name) => this.#bare(name));
      const values = names.map(() => VALUE);
      return sql`insert into ${this.#drizzle} (${list(names)}) values (${list(values)})`;
    });
    return { statement, values: cells };
  }

  /** Changes one row, if it still has that version. */
  update(workspace: string, id: string, version: number, patch: Record<string, unknown>): Bound<P> {
    const names = Object.keys(patch);
    const values: Value[] = names.map((name) => encode(kindOf(this.#table, name), patch[name]));
    const statement = this.#prepare(`update:${names.join()}`, () => {
      const raised = sql`${this.#bare('version')} = ${this.#column('version')} + 1`;
      const set = list([...names.map((name) => sql`${this.#bare(name)} = ${VALUE}`), raised]);
      const own = ['workspace', 'id', 'version'].map((name) => eq(this.#column(name), VALUE));
      return sql`update ${this.#drizzle} set ${set} where ${and(...own)}`;
    });
    values.push(workspace, id, version);
    return { statement, values };
  }

  remove<T extends Table>(workspace: string, where: Where<T>): Bound<P> {
    const { shape, values } = this.#filter(workspace, where);
    const statement = this.#prepare(
      `remove:${shape}`,
      () => sql`delete from ${this.#drizzle} where ${this.#conditions(where)}`,
    );
    return { statement, values };
  }

  /** Rows are for `decode`. */
  find<T extends Table>(workspace: string, query: Query<T>): Bound<P> {
    const { where = {}, first, orderBy = [], limit = ROWS } = query;
    const { shape, values } = this.#filter(workspace, where);
    const firsts = first && this.#filter(workspace, first.of);
    if (firsts) values.push(...firsts.values);
    const order = orderBy.map((o) => `${o.column}${o.descending ? '-' : '+'}`).join();
    const grouped = first ? `${first.by} of ${firsts?.shape}` : '';
    const statement = this.#prepare(`find:${shape}:${grouped}:${order}`, () => {
      const columns = this.#columns.map(([name]) => sql`${this.#column(name)} as ${sql.identifier(name)}`);
      const sorted = orderBy.map((o) => (o.descending ? desc : asc)(this.#column(o.column)));
      const ordered = sorted.length > 0 ? sql` order by ${list(sorted)}` : sql.empty();
      const conditions = and(this.#conditions(where), first && this.#isFirst(first.by, first.of));
      return sql`select ${list(columns)} from ${this.#drizzle} where ${conditions}${ordered} limit ${LIMIT}`;
    });
    values.push(Math.min(limit, MOST_ROWS));
    return { statement, values };
  }

  /** One row, with the number as `n`. */
  count<T extends Table>(workspace: string, where: Where<T>): Bound<P> {
    const { shape, values } = this.#filter(workspace, where);
    const statement = this.#prepare(
      `count:${shape}`,
      () => sql`select count(*) as n from ${this.#drizzle} where ${this.#conditions(where)}`,
    );
    return { statement, values };
  }

  #prepare(shape: string, build: () => SQL): P {
    let statement = this.#prepared.get(shape);
    if (!statement) {
      statement = this.#writing.prepare(textOf(build(), this.#writing));
      this.#prepared.set(shape, statement);
    }
    return statement;
  }

  #column(name: string): SQLiteColumn {
    const found = this.#drizzle[name];
    if (!found) throw new TypeError(`table ${this.#table.name} has no column ${name}`);
    return found;
  }

  /** The column's name without its table, as `insert` and `set` want it. */
  #bare(name: string): SQL {
    return sql`${sql.identifier(this.#column(name).name)}`;
  }

  /** Every condition begins with the workspace, so no call can read another's rows. */
  #filter(workspace: string, where: object): Filter {
    const { lists } = this.#writing;
    const values: Value[] = [workspace];
    let shape = '';
    for (const [name, condition] of Object.entries(where)) {
      if (condition === undefined) continue;
      const kind = kindOf(this.#table, name);
      for (const [op, value] of operators(condition)) {
        shape += `${name} ${op}${Array.isArray(value) && !lists ? value.length : value === null ? '0' : ''},`;
        if (value === null) continue;
        if (op === 'in' || op === 'notIn') {
          const cells = (value as readonly unknown[]).map((item) => encode(kind, item));
          values.push(...(lists ? [cells] : cells));
        } else values.push(encode(kind, value));
        if (op === 'prefix') values.push(`${value as string}${LAST}`);
      }
    }
    return { shape, values };
  }

  /** The same conditions as SQL, with a placeholder for each value. */
  #conditions(where: object): SQL | undefined {
    const parts = [eq(this.#column('workspace'), VALUE)];
    for (const [name, condition] of Object.entries(where)) {
      if (condition === undefined) continue;
      for (const [op, value] of operators(condition))
        parts.push(this.#condition(this.#column(name), op, value));
    }
    return and(...parts);
  }

  #isFirst(by: string, of: object): SQL {
    const id = this.#column('id');
    return sql`${id} in (select min(${id}) from ${this.#drizzle} where ${this.#conditions(of)} group by ${this.#column(by)})`;
  }

  #condition(column: SQLiteColumn, op: string, value: unknown): SQL {
    if (value === null) return op === 'not' ? isNotNull(column) : isNull(column);
    switch (op) {
      case 'eq':
        return eq(column, VALUE);
      case 'in':
      case 'notIn': {
        if (this.#writing.lists)
          return op === 'in' ? sql`${column} = any(${VALUE})` : sql`${column} <> all(${VALUE})`;
        const holders = (value as readonly unknown[]).map(() => VALUE);
        if (holders.length === 0) return op === 'in' ? sql`false` : sql`true`;
        return op === 'in' ? inArray(column, holders) : notInArray(column, holders);
      }
      case 'prefix':
        return sql`(${gte(column, VALUE)} and ${lt(column, VALUE)})`;
      case 'not':
        return sql`(${ne(column, VALUE)} or ${isNull(column)})`;
      default:
        return COMPARE[op as keyof typeof COMPARE](column, VALUE);
    }
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

const list = (parts: readonly unknown[]): SQL => sql.join([...parts] as SQL[], sql`, `);

function textOf(query: SQL, { placeholder }: Pick<Writing<unknown>, 'placeholder'>): string {
  const config = {
    casing: new CasingCache(),
    escapeName: (name: string) => `"${name}"`,
    escapeParam: placeholder,
    escapeString: (text: string) => `'${text.replaceAll("'", "''")}'`,
  };
  return query.toQuery(config).sql;
}
