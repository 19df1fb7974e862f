import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { v7 } from 'uuid';
import type { Commit, Store, Tx } from '../core/store.ts';
import { systemClock, type Clock } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { GENESIS, journal, type JournalEntry } from '../domain/journal.ts';
import type { Row, Table } from '../domain/table.ts';
import { entryOf } from './entry.ts';
import { migrate } from './migrate.ts';
import { endsTransaction, storageRefusal } from './storage-errors.ts';
import { SqliteTx, type ChainHead, type Fixed, type Group } from './sqlite-tx.ts';
import { Statements } from './statements.ts';
import { inOneTurn } from './turn.ts';

export interface SqliteOptions {
  readonly path: string;
  readonly clock?: Clock;
  readonly newId?: () => string;
  /** Milliseconds to wait for another process's write lock before answering `unavailable`. */
  readonly lockTimeout?: number;
  /** `present`: the file may not grow, as on a full disk (for tests of just that). */
  readonly maxPages?: 'present';
}

interface Waiting {
  readonly workspace: string;
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A group yields to the event loop after this many callbacks or milliseconds, whichever comes first. */
const GROUP_SIZE = 256;
const GROUP_TIME = 8;
/** How often to look for commits of other processes on the same file, in milliseconds. */
const WATCH_EVERY = 1_000;

/** Opens (and makes or migrates) the database file. @throws Refusal `unavailable` saying what is wrong with it. */
export function openSqlite(options: SqliteOptions): SqliteStore {
  try {
    mkdirSync(dirname(options.path), { recursive: true });
    return new SqliteStore(options);
  } catch (error) {
    throw storageRefusal(error, options.path);
  }
}

/**
 * The embedded store: one connection, transactions queued behind one BEGIN IMMEDIATE. All that waits in one turn of the
 * event loop runs one after another inside savepoints and is committed with one fsync; nobody is answered before it.
 */
export class SqliteStore implements Store {
  readonly #path: string;
  readonly #db: Database.Database;
  /** Sees committed rows only, also while a group is open. */
  readonly #reader: Database.Database;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #fixed: Fixed & Record<'begin' | 'commit' | 'abort' | 'head', Database.Statement>;
  readonly #statements = new Map<Table, Statements>();
  readonly #readJournal: Statements;
  readonly #listeners = new Set<(commit: Commit) => void>();
  /** The last sequence told to listeners, per workspace. */
  readonly #told = new Map<string, number>();
  readonly #watch: NodeJS.Timeout;
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #dataVersion: number;
  #closing = false;

  constructor({ path, clock = systemClock, newId, lockTimeout = 2_000, maxPages }: SqliteOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#newId = newId ?? (() => v7());
    const db = new Database(path, { timeout: lockTimeout });
    this.#db = db;
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    migrate(db);
    if (maxPages) db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true }) as number}`);
    this.#reader = new Database(path, { readonly: true, timeout: lockTimeout });
    this.#fixed = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      abort: db.prepare('ROLLBACK'),
      savepoint: db.prepare('SAVEPOINT call'),
      release: db.prepare('RELEASE call'),
      rollback: db.prepare('ROLLBACK TO call'),
      head: db.prepare('SELECT seq, hash FROM journal WHERE workspace = ? ORDER BY seq DESC LIMIT 1'),
      counter: db.prepare(
        `INSERT INTO counters (workspace, name, value) VALUES (?, ?, 1)
         ON CONFLICT (workspace, name) DO UPDATE SET value = value + 1 RETURNING value`,
      ),
    };
    this.#readJournal = new Statements(drizzle({ client: this.#reader }), journal);
    for (const { workspace, seq } of this.#heads()) this.#told.set(workspace, seq);
    this.#dataVersion = this.#version();
    this.#watch = setInterval(() => this.#lookOutside(), WATCH_EVERY).unref();
  }

  /** The number of the newest migration that was applied. */
  get schema(): number {
    return this.#db.pragma('user_version', { simple: true }) as number;
  }

  /** What SQLite finds wrong with the file, if anything. Reads all of it. */
  integrity(): string | undefined {
    const found = this.#reader.pragma('quick_check(1)', { simple: true }) as string;
    return found === 'ok' ? undefined : found;
  }

  transaction<T>(workspace: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closing)
      return Promise.reject(new Refusal('unavailable', 'Signalbox is stopping.', { retryAfter: 5_000 }));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#queue.push({ workspace, work, resolve: resolve as (value: unknown) => void, reject });
    this.#running ??= this.#drain();
    return promise;
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async history(workspace: string, after: number, limit: number): Promise<JournalEntry[]> {
    return this.#read(() => this.#entries(workspace, after, limit));
  }

  async head(workspace: string): Promise<number> {
    return this.#told.get(workspace) ?? 0;
  }

  async workspaces(): Promise<string[]> {
    return this.#read(() => this.#heads().map((h) => h.workspace));
  }

  async ping(): Promise<void> {
    this.#read(() => this.#reader.prepare('SELECT 1').get());
    await this.transaction('', async () => undefined);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#watch);
    await this.#running;
    this.#reader.close();
    this.#db.close();
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      // What arrives in the same turn of the event loop joins the group.
      await new Promise(setImmediate);
      await this.#runGroup();
    }
    this.#running = undefined;
  }

  async #runGroup(): Promise<void> {
    const settled: (() => void)[] = [];
    const taken: Waiting[] = [];
    const group = this.#newGroup();
    try {
      this.#fixed.begin.run();
      const until = performance.now() + GROUP_TIME;
      do {
        const item = this.#queue.shift() as Waiting;
        taken.push(item);
        settled.push(await this.#runOne(item, group));
      } while (this.#queue.length > 0 && taken.length < GROUP_SIZE && performance.now() < until);
      this.#fixed.commit.run();
    } catch (error) {
      if (this.#db.inTransaction) this.#fixed.abort.run();
      const refusal = storageRefusal(error, this.#path);
      for (const { reject } of taken.length > 0 ? taken : this.#queue.splice(0)) reject(refusal);
      return;
    }
    for (const settle of settled) settle();
    this.#tell(group);
  }

  /** Runs one callback inside a savepoint; returns how to answer it once the group is durable. */
  async #runOne(item: Waiting, group: Group): Promise<() => void> {
    const tx = new SqliteTx(item.workspace, group, this.#fixed, this.#newId);
    const entries = group.entries.length;
    const head = item.workspace === '' ? undefined : { ...group.head(item.workspace) };
    this.#fixed.savepoint.run();
    try {
      const value = await inOneTurn(item.work(tx));
      this.#fixed.release.run();
      return () => item.resolve(value);
    } catch (error) {
      if (endsTransaction(error)) throw error;
      this.#fixed.rollback.run();
      this.#fixed.release.run();
      group.entries.length = entries;
      if (head) Object.assign(group.head(item.workspace), head);
      return () => item.reject(storageRefusal(error, this.#path));
    } finally {
      tx.close();
    }
  }

  #newGroup(): Group {
    const heads = new Map<string, ChainHead>();
    return {
      now: this.#clock.now(),
      entries: [],
      tables: new Map(),
      statements: (table) => this.#statementsOf(table),
      head: (workspace) => {
        let head = heads.get(workspace);
        if (!head) {
          head = (this.#fixed.head.get(workspace) as ChainHead | undefined) ?? { seq: 0, hash: GENESIS };
          heads.set(workspace, head);
        }
        return head;
      },
    };
  }

  #statementsOf(table: Table): Statements {
    let found = this.#statements.get(table);
    if (!found) {
      found = new Statements(drizzle({ client: this.#db }), table);
      this.#statements.set(table, found);
    }
    return found;
  }

  #tell(group: Group): void {
    for (const [workspace, tables] of group.tables) {
      const entries = group.entries.filter((e) => e.workspace === workspace);
      this.#announce(workspace, entries, tables);
    }
  }

  /** Passes on new entries in sequence; what another process wrote in between is read first. */
  #announce(workspace: string, entries: readonly JournalEntry[], tables: ReadonlySet<string>): void {
    const told = this.#told.get(workspace) ?? 0;
    const first = entries[0];
    const missed = first && first.seq > told + 1 ? this.#entries(workspace, told, first.seq - told - 1) : [];
    const all = missed.length > 0 ? [...missed, ...entries] : entries;
    const last = all.at(-1);
    if (last) this.#told.set(workspace, last.seq);
    for (const listener of this.#listeners) listener({ workspace, entries: all, tables });
  }

  #lookOutside(): void {
    const version = this.#version();
    if (version === this.#dataVersion) return;
    this.#dataVersion = version;
    const tables = new Set([...this.#statements.keys()].map((t) => t.name));
    for (const { workspace, seq } of this.#heads()) {
      const told = this.#told.get(workspace) ?? 0;
      if (seq > told) this.#announce(workspace, this.#entries(workspace, told, seq - told), tables);
    }
  }

  #entries(workspace: string, after: number, limit: number): JournalEntry[] {
    const rows = this.#readJournal.find<typeof journal>(workspace, {
      where: { seq: { above: after } },
      orderBy: [{ column: 'seq' }],
      limit,
    }) as Row<typeof journal>[];
    return rows.map((row) => entryOf(workspace, row));
  }

  /** One seek per workspace instead of a scan of the journal. */
  #heads(): { workspace: string; seq: number }[] {
    return this.#reader
      .prepare<[], { workspace: string; seq: number }>(
        `WITH RECURSIVE w(name) AS (
           SELECT min(workspace) FROM journal
           UNION ALL SELECT (SELECT min(workspace) FROM journal WHERE workspace > w.name) FROM w WHERE w.name IS NOT NULL
         ) SELECT name AS workspace, (SELECT max(seq) FROM journal WHERE workspace = w.name) AS seq
           FROM w WHERE name IS NOT NULL`,
      )
      .all();
  }

  #version(): number {
    return this.#db.pragma('data_version', { simple: true }) as number;
  }

  #read<T>(query: () => T): T {
    if (this.#closing) throw new Refusal('unavailable', 'Signalbox is stopping.', { retryAfter: 5_000 });
    try {
      return query();
    } catch (error) {
      throw storageRefusal(error, this.#path);
    }
  }
}
