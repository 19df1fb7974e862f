import { newId as systemId } from '../../core/ids.ts';
import type { SharedCounts } from '../../core/minute-counter.ts';
import type { Commit, ReadTx, Tx } from '../../core/store.ts';
import type { Clock } from '../../domain/clock.ts';
import { Refusal } from '../../domain/errors.ts';
import type { JournalEntry } from '../../domain/journal.ts';
import type { Database } from '../database.ts';
import { checkRole } from './check-role.ts';
import { Connections } from './connections.ts';
import { named } from './dialect.ts';
import { entriesAfter } from './entries.ts';
import { Engine } from './engine.ts';
import { ENTER } from './group.ts';
import { Groups } from './groups.ts';
import { migrate, schemaOf } from './migrate.ts';
import type { Session } from './session.ts';
import { createSharedCounts } from './shared-counts.ts';
import { isPassing, storageRefusal } from './storage-errors.ts';
import { PostgresRead } from './tx.ts';
import { Watcher } from './watcher.ts';

export interface PostgresOptions {
  readonly url: string;
  /** The owner's address, for migrating; `url` unless told. */
  readonly owner?: string | undefined;
  /** The database's own unless told. */
  readonly clock?: Clock;
  readonly newId?: () => string;
  /** Milliseconds to wait for a connection or another process's lock before answering `unavailable`. */
  readonly lockTimeout?: number;
  /** Told of what goes wrong outside any call: a listener that throws, a database that cannot be watched. */
  readonly report?: (error: unknown) => void;
}

/** Connections at most: for what changes something, and for what only looks, so that neither waits for the other's. */
const FOR_GROUPS = 2;
const FOR_LOOKS = 6;
const READ = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
const PRESENT = named(
  `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
     coalesce((SELECT revisions FROM chains WHERE workspace = $1), '{}') AS revisions`,
);
const HEAD = named('SELECT seq FROM chains WHERE workspace = $1');
const WORKSPACES = named('SELECT name FROM workspaces ORDER BY name');
const WRITABLE = named(`SELECT current_setting('transaction_read_only') AS standby`);

/**
 * Connects, brings the schema to this version where the role may, and refuses roles that row-level security does not
 * hold for. @throws Refusal saying what is wrong.
 */
export async function openPostgres(options: PostgresOptions): Promise<PostgresStore> {
  await migrate(options.url, options.owner);
  const store = new PostgresStore(options);
  try {
    await store.start();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * The store for many processes. All that waits in a workspace runs one after another in one database transaction, with
 * the end of the chain locked once; so a callback sees everything that was committed in its workspace, whoever wrote it.
 */
export class PostgresStore implements Database {
  readonly name: string;
  readonly counts: SharedCounts;
  readonly #options: PostgresOptions;
  readonly #writing: Connections;
  readonly #looking: Connections;
  readonly #groups: Groups;
  readonly #watcher: Watcher;
  readonly #engine: Engine;
  #schema = 0;
  #closing = false;

  constructor(options: PostgresOptions) {
    const { url, lockTimeout = 2_000, report = () => undefined } = options;
    this.#options = options;
    this.#writing = new Connections({ url, lockTimeout, most: FOR_GROUPS });
    this.#looking = new Connections({ url, lockTimeout, most: FOR_LOOKS });
    this.#engine = new Engine({ url, lockTimeout, report });
    this.name = this.#looking.name;
    this.counts = createSharedCounts(this.#looking);
    this.#watcher = new Watcher({
      url,
      lockTimeout,
      report,
      workspaces: () => this.workspaces(),
      look: (workspace, work) => this.#snapshot(workspace, work),
    });
    this.#groups = new Groups({
      connections: this.#writing,
      looking: this.#looking,
      clock: options.clock,
      newId: options.newId ?? systemId,
      engine: this.#engine,
      patience: lockTimeout,
      committed: (...commit) => this.#watcher.committed(...commit),
    });
  }

  /** @throws Refusal when the role is one that may see everything. */
  async start(): Promise<void> {
    await this.#ask(checkRole);
    this.#schema = await this.currentSchema();
    await this.#watcher.start();
  }

  get schema(): number {
    return this.#schema;
  }

  currentSchema(): Promise<number> {
    return this.#ask((session) => schemaOf(session));
  }

  async integrity(): Promise<undefined> {
    await this.ping();
  }

  transaction<T>(workspace: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#closing) return Promise.reject(stopping());
    return this.#groups.run(workspace, work);
  }

  read<T>(workspace: string, work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.#snapshot(workspace, async (session) => {
      const { clock } = this.#options;
      const { rows } = await session.ask(PRESENT, [workspace]);
      const [present] = rows as { now: number; revisions: string }[];
      const now = clock?.now() ?? new Date(present?.now ?? Number.NaN);
      const revisionOf = this.#groups.revisionAt(workspace, present?.revisions ?? '{}');
      const tx = new PostgresRead({ session, workspace, now, revisionOf });
      return tx.run(() => work(tx));
    });
  }

  onCommit(listener: (commit: Commit) => void): () => void {
    return this.#watcher.listen(listener);
  }

  history(workspace: string, after: number, limit: number): Promise<JournalEntry[]> {
    return this.#snapshot(workspace, (session) => entriesAfter(session, workspace, after, limit));
  }

  head(workspace: string): Promise<number> {
    return this.#snapshot(workspace, async (session) => {
      const { rows } = await session.ask(HEAD, [workspace]);
      return (rows as { seq: number }[])[0]?.seq ?? 0;
    });
  }

  workspaces(): Promise<string[]> {
    return this.#ask(async (session) => {
      const { rows } = await session.ask(WORKSPACES);
      return (rows as { name: string }[]).map(({ name }) => name);
    });
  }

  async ping(): Promise<void> {
    await this.#ask(async (session) => {
      const { rows } = await session.ask(WRITABLE);
      if ((rows as { standby: string }[])[0]?.standby !== 'off')
        throw new Refusal('unavailable', `The database ${this.name} is a read-only standby.`);
    });
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#groups.settled();
    await Promise.all([this.#watcher.close(), this.#engine.close()]);
    await Promise.all([this.#writing.close(), this.#looking.close()]);
  }

  /** Runs reads on one consistent state of a workspace. */
  #snapshot<T>(workspace: string, work: (session: Session) => Promise<T>): Promise<T> {
    return this.#ask(async (session) => {
      const begun = [session.ask(READ), session.ask(ENTER, [workspace])];
      const [result] = await Promise.all([work(session), ...begun]);
      await session.ask('COMMIT');
      return result;
    });
  }

  /** Runs reads; once more on another connection where the first turns out to be lost. */
  async #ask<T>(work: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closing) throw stopping();
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#looking.with(work);
      } catch (error) {
        if (!isPassing(error) || tries === 2) throw storageRefusal(error, this.name);
      }
    }
  }
}

const stopping = () => new Refusal('unavailable', 'Signalbox is stopping.', { retryAfter: 5_000 });
