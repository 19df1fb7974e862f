/**
 * One way to describe a table for any database. A noun file states its table here; the store compiles it to the
 * dialect's columns and prepared statements. Every table has `workspace`, `id` and `version` besides what is named:
 * the store fills and checks them, so no caller can reach another workspace's row or overwrite a newer one.
 */
export type ColumnKind = 'text' | 'int' | 'bool' | 'json' | 'time';

export interface Column<T> {
  readonly kind: ColumnKind;
  readonly nullable: boolean;
  /** Carries the TypeScript type only; absent at run time. */
  readonly type?: T;
}

export type Columns = Readonly<Record<string, Column<unknown>>>;

export interface Table<C extends Columns = Columns> {
  readonly name: string;
  readonly columns: C;
}

export type Row<T extends Table> = {
  readonly [K in keyof T['columns']]: T['columns'][K] extends Column<infer V> ? V : never;
} & { readonly id: string; readonly version: number };

/** What `insert` takes: the row without what the store fills in. */
export type NewRow<T extends Table> = Omit<Row<T>, 'version'>;
export type Patch<T extends Table> = Partial<Omit<Row<T>, 'id' | 'version'>>;

const column = <T>(kind: ColumnKind): Column<T> => ({ kind, nullable: false });
export const text = <T extends string = string>(): Column<T> => column<T>('text');
/** A whole number up to 2^53. */
export const int = (): Column<number> => column<number>('int');
export const bool = (): Column<boolean> => column<boolean>('bool');
/** Kept as the text it was given as, so that what was digested stays what is stored. */
export const json = <T>(): Column<T> => column<T>('json');
/** An instant, stored as epoch milliseconds. */
export const time = (): Column<Date> => column<Date>('time');
export const maybe = <T>(of: Column<T>): Column<T | null> => ({ kind: of.kind, nullable: true });

export function table<C extends Columns>(name: string, columns: C): Table<C> {
  return { name, columns };
}

/** A condition on one column; a bare value means equality, `null` means is null. */
export type Condition<V> =
  | V
  | { readonly in: readonly V[] }
  | { readonly notIn: readonly V[] }
  | { readonly below?: V; readonly atMost?: V; readonly above?: V; readonly atLeast?: V }
  | { readonly not: V }
  /** Text that starts with this, case-sensitively. */
  | { readonly prefix: string };

export type Where<T extends Table> = { readonly [K in keyof Row<T>]?: Condition<Row<T>[K]> };

export interface Query<T extends Table> {
  readonly where?: Where<T>;
  /**
   * Of the rows that meet `of`, only the first by id of each that agree in `by`; `where` is asked of these alone.
   */
  readonly first?: { readonly by: keyof Row<T> & string; readonly of: Where<T> };
  readonly orderBy?: readonly { readonly column: keyof Row<T> & string; readonly descending?: boolean }[];
  /** Rows at most; 500 unless told. */
  readonly limit?: number;
}
