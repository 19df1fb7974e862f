import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import BetterSqlite from 'better-sqlite3';
import { newId as systemId } from '../../core/ids.ts';
import type { Commit, ReadTx, Tx } from '../../core/store.ts';
import { systemClock, type Clock } from '../../domain/clock.ts';
import { Refusal } from '../../domain/errors.ts';
import { GENESIS, type JournalEntry } from '../../domain/journal.ts';
import type { Table } from '../../domain/table.ts';
import { Announcer } from './announcer.ts';
import { CommittedJournal } from './committed-journal.ts';
import { fixedStatements, type FixedStatements } from './fixed.ts';
import { migrate } from './migrate.ts';
import { endsTransaction, storageRefusal } from './storage-errors.ts';
import { Revisions } from './revisions.ts';
import type { ChainHead } from '../chain.ts';
import type { Database } from '../database.ts';
import { SqliteTx, type Group } from './tx.ts';
import { Statements } from './statements.ts';
import { inOneTurn } from './turn.ts';
import { takeWriteLock } from './write-lock.ts';

export interface SqliteOptions {
  readonly path: string;
  readonly clock?: Clock;
  readonly newId?: () => string;
  /** Milliseconds to wait for another process's write lock before answering `unavailable`. */
  readonly lockTimeout?: number;
  /** Told of what goes wrong outside any call: a listener that throws, a file that cannot be watched. */
  readonly report?: (error: unknown) => void;
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

/** Opens (and makes or migrates) the database file. @throws Refusal `unavailable` saying what is wrong with it. */
export function openSqlite(options: SqliteOptions): SqliteStore {
  try {
    mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
    // Signing keys and the journal are in it: for its owner's eyes. SQLite gives its side files the same mode.
    closeSync(openSync(options.path, 'a', 0o600));
    return new SqliteStore(options);
  } catch (error) {
    throw storageRefusal(error, options.path);
  }
}

/**
 * The embedded store: one connection, transactions queued behind one BEGIN IMMEDIATE. All that waits in one turn of the
 * event loop runs one after another inside savepoints and is committed with one fsync; nobody is answered before it.
 */
export class SqliteStore implements Database {
  readonly counts = undefined;
  readonly #path: string;
  readonly #db: BetterSqlite.Database;
  /** Sees committed rows only, also while a group is open. */
  readonly #reader: BetterSqlite.Database;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #fixed: FixedStatements;
  readonly #statements = new Map<Table, Statements>();
  readonly #revisions = new Revisions();
  readonly #journal: CommittedJournal;
  readonly #announcer: Announcer;
  #queue: Waiting[] = [];
  #dataVersion: unknown;
  readonly #lockTimeout: number;
  #running: Promise<void> | undefined;
  #closing = false;

  constructor({
    path,
    clock = systemClock,
    newId,
    lockTimeout = 2_000,
    report = () => undefined,
    maxPages,
  }: SqliteOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#newId = newId ?? systemId;
    const db = new BetterSqlite(path, { timeout: lockTimeout });
    this.#db = db;
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    // What savepoints keep for undoing stays in memory instead of going through a temporary file.
    db.pragma('temp_store = MEMORY');
    migrate(db);
    // From here on `takeWriteLock` does the waiting.
    db.pragma('busy_timeout = 0');
    this.#lockTimeout = lockTimeout;
    if (maxPages) db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true }) as number}`);
    this.#reader = new BetterSqlite(path, { readonly: true, timeout: lockTimeout });
    this.#fixed = fixedStatements(db);
    this.#journal = new CommittedJournal(this.#reader);
    this.#announcer = new Announcer(db, this.#journal, report);
  }

  get name(): string {
    return this.#path;
  }

  /** The number of the newest migration that was applied. */
  get schema(): number {
    return this.#db.pragma('user_version', { simple: true }) as number;
  }

  async currentSchema(): Promise<number> {
    return this.schema;
  }

  async integrity(): Promise<string | undefined> {
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

  /** One connection does it all, so a look is a transaction like any other; it costs no fsync. */
  read<T>(workspace: string, work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.transaction(workspace, work);
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    return this.#announcer.listen(listener);
  }

  async history(workspace: string, after: number, limit: number): Promise<JournalEntry[]> {
    return this.#read(() => this.#journal.entries(workspace, after, limit));
  }

  async head(workspace: string): Promise<number> {
    return this.#announcer.head(workspace);
  }

  async workspaces(): Promise<string[]> {
    return this.#read(() => this.#journal.heads().map((h) => h.workspace));
  }

  async ping(): Promise<void> {
    this.#read(() => this.#reader.prepare('SELECT 1').get());
    await this.transaction('', async () => undefined);
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#announcer.close();
    await this.#running;
    this.#reader.close();
    this.#db.close();
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        // What arrives in the same turn of the event loop joins the group.
        await new Promise(setImmediate);
        if (await this.#begin()) await this.#runGroup();
      }
    } finally {
      this.#running = undefined;
    }
  }

  /** Takes the write lock; refuses all that waits and returns false where it cannot be had in time. */
  async #begin(): Promise<boolean> {
    try {
      await takeWriteLock(this.#fixed.begin, this.#lockTimeout);
      return true;
    } catch (error) {
      const refusal = storageRefusal(error, this.#path);
      for (const { reject } of this.#queue.splice(0)) reject(refusal);
      return false;
    }
  }

  async #runGroup(): Promise<void> {
    const settled: (() => void)[] = [];
    const taken: Waiting[] = [];
    const group = this.#newGroup();
    try {
      this.#lookOutside();
      const until = performance.now() + GROUP_TIME;
      do {
        const item = this.#queue.shift() as Waiting;
        taken.push(item);
        settled.push(await this.#runOne(item, group));
      } while (this.#queue.length > 0 && taken.length < GROUP_SIZE && performance.now() < until);
      this.#fixed.commit.run();
    } catch (error) {
      if (this.#db.inTransaction) this.#fixed.abort.run();
      this.#revisions.undone();
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
    this.#fixed.openTurn.run();
    try {
      const value = await inOneTurn(item.work(tx));
      this.#fixed.closeTurn.run();
      return () => item.resolve(value);
    } catch (error) {
      if (endsTransaction(error)) throw error;
      this.#fixed.undoTurn.run();
      this.#fixed.closeTurn.run();
      this.#revisions.undone();
      group.entries.length = entries;
      if (head) Object.assign(group.head(item.workspace), head);
      return () => item.reject(storageRefusal(error, this.#path));
    } finally {
      tx.close();
    }
  }

  /** Whether another process has committed since the last group. */
  #lookOutside(): void {
    const version = this.#fixed.dataVersion.get();
    if (version !== this.#dataVersion) this.#revisions.undone();
    this.#dataVersion = version;
  }

  #newGroup(): Group {
    const heads = new Map<string, ChainHead>();
    return {
      now: this.#clock.now(),
      entries: [],
      tables: new Map(),
      revisions: this.#revisions,
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
      found = new Statements(this.#db, table);
      this.#statements.set(table, found);
    }
    return found;
  }

  #tell(group: Group): void {
    for (const [workspace, tables] of group.tables) {
      const entries = group.entries.filter((e) => e.workspace === workspace);
      this.#announcer.announce(workspace, entries, tables);
    }
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
