import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { Refusal } from '../../domain/errors.ts';
import { migrate } from '../sqlite/migrate.ts';
import { storageRefusal } from '../sqlite/storage-errors.ts';
import type { Source, Target } from './ends.ts';
import { discard, makePartial, publish } from './partial.ts';
import {
  BATCH_CHARACTERS,
  BATCH_ROWS,
  charactersOf,
  columnList,
  PLAIN_TABLES,
  type Cells,
  type PlainTable,
} from './plain.ts';

/** Milliseconds to wait for another process's write lock. */
const LOCK_TIMEOUT = 2_000;

/** A SQLite file, and what is read of it the same for source and target. */
export class SqliteFile implements Source {
  readonly name: string;
  readonly db: Database.Database;
  readonly #lock: Database.Database | undefined;

  /** `lock`: a connection that keeps writers out until this is closed. */
  constructor(path: string, db: Database.Database, lock?: Database.Database) {
    this.name = path;
    this.db = db;
    this.#lock = lock;
  }

  get schema(): number {
    return this.db.pragma('user_version', { simple: true }) as number;
  }

  async now(): Promise<undefined> {}

  /** Of all tables: a workspace may have rows before it has a journal. One seek each, however many rows. */
  async workspaces(): Promise<string[]> {
    const found = new Set<string>();
    for (const { name } of this.#present()) {
      const next = this.db.prepare<[string], { w: string | null }>(
        `SELECT min(workspace) AS w FROM "${name}" WHERE workspace > ?`,
      );
      for (let last = ''; ; ) {
        const w = next.get(last)?.w;
        if (w === null || w === undefined) break;
        found.add(w);
        last = w;
      }
    }
    return [...found].toSorted();
  }

  async *rows(table: PlainTable, workspace: string): AsyncIterable<readonly Cells[]> {
    const sql = `SELECT ${columnList(table)} FROM "${table.name}" WHERE workspace = +? ORDER BY "${table.order}"`;
    let batch: Cells[] = [];
    let characters = 0;
    for (const row of this.db.prepare<[string], Cells>(sql).raw().iterate(workspace)) {
      batch.push(row);
      characters += charactersOf(row);
      if (batch.length < BATCH_ROWS && characters < BATCH_CHARACTERS) continue;
      yield batch;
      batch = [];
      characters = 0;
    }
    if (batch.length > 0) yield batch;
  }

  async count(table: PlainTable, workspace: string, states?: readonly string[]): Promise<number> {
    if (!this.#present().some(({ name }) => name === table.name)) return 0;
    const among = states ? ` AND state IN (${states.map(() => '?').join(', ')})` : '';
    const sql = `SELECT count(*) FROM "${table.name}" WHERE workspace = ?${among}`;
    return this.db
      .prepare(sql)
      .pluck()
      .get(workspace, ...(states ?? [])) as number;
  }

  /** Makes it one file without side files, which can be read wherever it is carried, and looks at each of its pages. */
  settle(from: string): void {
    this.db.pragma('journal_mode = DELETE');
    const found = this.db.pragma('quick_check(1)', { simple: true }) as string;
    if (found !== 'ok') throw new Refusal('unavailable', `${from} is damaged: ${found}`);
  }

  async close(): Promise<void> {
    this.db.close();
    this.#lock?.close();
  }

  /** The tables that are there already: an older schema lacks some. */
  #present(): PlainTable[] {
    const names = new Set(
      this.db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all() as string[],
    );
    return PLAIN_TABLES.filter(({ name }) => names.has(name));
  }
}

/**
 * Opens a database file for reading one state of it. `alone`: nobody else may write until it is closed.
 * @throws Refusal `not_found` or `unavailable` saying what is wrong with the file.
 */
export function openSqliteSource(path: string, alone: boolean): SqliteFile {
  if (!existsSync(path)) throw new Refusal('not_found', `There is no database at ${path}.`);
  const opened: Database.Database[] = [];
  const open = (begin: string, readonly: boolean) => {
    const db = new Database(path, { readonly, fileMustExist: true, timeout: LOCK_TIMEOUT });
    opened.push(db);
    db.exec(begin);
    return db;
  };
  try {
    const lock = alone ? open('BEGIN IMMEDIATE', false) : undefined;
    const file = new SqliteFile(path, open('BEGIN', true), lock);
    // The first read takes the snapshot.
    if (file.schema === 0) throw new Refusal('invalid_argument', `${path} is not a Signalbox database.`);
    return file;
  } catch (error) {
    for (const db of opened) db.close();
    throw storageRefusal(error, path);
  }
}

/** A new database file, in one transaction. */
class SqliteTarget extends SqliteFile implements Target {
  readonly #path: string;
  readonly #partial: string;
  readonly #inserts = new Map<string, Database.Statement<Cells[]>>();

  constructor(path: string, partial: string, db: Database.Database) {
    super(path, db);
    this.#path = path;
    this.#partial = partial;
  }

  async open(): Promise<void> {}

  async insert(table: PlainTable, rows: readonly Cells[]): Promise<void> {
    let insert = this.#inserts.get(table.name);
    if (!insert) {
      const holders = table.columns.map(() => '?').join(', ');
      insert = this.db.prepare(`INSERT INTO "${table.name}" (${columnList(table)}) VALUES (${holders})`);
      this.#inserts.set(table.name, insert);
    }
    for (const row of rows) insert.run(row);
  }

  async commit(): Promise<void> {
    this.db.exec('COMMIT');
    this.db.close();
    publish(this.#partial, this.#path);
  }

  override async close(): Promise<void> {
    await super.close();
    discard(this.#partial);
  }
}

/** @throws Refusal `conflict` when the file is there, `unavailable` when it cannot be made. */
export function openSqliteTarget(path: string): Target {
  const partial = makePartial(path);
  let db: Database.Database | undefined;
  try {
    db = new Database(partial);
    migrate(db);
    db.exec('BEGIN IMMEDIATE');
    return new SqliteTarget(path, partial, db);
  } catch (error) {
    db?.close();
    discard(partial);
    throw storageRefusal(error, path);
  }
}

/**
 * Copies a SQLite file page by page into a new one, while others read and write it; `examine` sees the copy before it
 * gets its name, which it does if it is to be kept. All pages go in one step: with several, each commit of another
 * process would start it anew.
 */
export async function copyFile<T>(
  from: SqliteFile,
  path: string,
  { examine, keep }: { examine: (copy: Source) => Promise<T>; keep: boolean },
): Promise<T> {
  const partial = makePartial(path);
  try {
    await from.db.backup(partial, { progress: () => Number.MAX_SAFE_INTEGER });
    const copy = new SqliteFile(path, new Database(partial));
    let result: T;
    try {
      copy.settle(from.name);
      result = await examine(copy);
    } finally {
      await copy.close();
    }
    if (keep) publish(partial, path);
    return result;
  } finally {
    discard(partial);
  }
}
