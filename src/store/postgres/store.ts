import { setTimeout } from 'node:timers/promises';
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
import { ENTER, Group, Repeat, type Waiting } from './group.ts';
import { Line } from './line.ts';
import { migrate, schemaOf } from './migrate.ts';
import type { Session } from './session.ts';
import { createSharedCounts } from './shared-counts.ts';
import { isLost, isPassing, storageRefusal } from './storage-errors.ts';
import { PostgresRead, PostgresTx } from './tx.ts';
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
  /** Connections at most, besides the one that listens. */
  readonly connections?: number;
  /** Told of what goes wrong outside any call: a listener that throws, a database that cannot be watched. */
  readonly report?: (error: unknown) => void;
}

/** A group ends after this many callbacks or milliseconds, whichever comes first: other processes wait for it. */
const GROUP_SIZE = 256;
const GROUP_TIME = 25;
/** Times a group is run anew because others were in the way or the connection was lost, and the first wait, in milliseconds. */
const TRIES = 5;
const WAIT = 40;
/** Times a group is run anew for a callback that needs care; then all of them are run with care. */
const REPEATS = 4;

const READ = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY';
const NOW = named('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now');
const HEAD = named('SELECT seq FROM chains WHERE workspace = $1');
const WORKSPACES = named('SELECT name FROM workspaces ORDER BY name');
const WRITABLE = named(`SELECT current_setting('transaction_read_only') AS standby`);
const OUTCOME = named('SELECT pg_xact_status($1::xid8) AS status');

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
  readonly #patience: number;
  readonly #connections: Connections;
  readonly #lines = new Map<string, Line>();
  readonly #watcher: Watcher;
  readonly #newId: () => string;
  readonly #engine: Engine;
  #schema = 0;
  #closing = false;

  constructor(options: PostgresOptions) {
    const { url, lockTimeout = 2_000, connections: most = 8, report = () => undefined } = options;
    this.#options = options;
    this.#patience = lockTimeout;
    this.#connections = new Connections({ url, lockTimeout, most });
    this.#newId = options.newId ?? systemId;
    this.#engine = new Engine({ url, lockTimeout, report });
    this.name = this.#connections.name;
    this.counts = createSharedCounts(this.#connections);
    this.#watcher = new Watcher({
      url,
      lockTimeout,
      report,
      workspaces: () => this.workspaces(),
      look: (workspace, work) => this.#snapshot(workspace, work),
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
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const line = this.#lineOf(workspace);
    line.waiting.push({ work, resolve: resolve as (value: unknown) => void, reject, careful: false });
    line.running ??= this.#drain(line);
    return promise;
  }

  read<T>(workspace: string, work: (tx: ReadTx) => Promise<T>): Promise<T> {
    return this.#snapshot(workspace, async (session) => {
      const clock = this.#options.clock;
      const { rows } = clock ? { rows: [] } : await session.ask(NOW);
      const now = clock?.now() ?? new Date((rows as { now: number }[])[0]?.now ?? Number.NaN);
      const tx = new PostgresRead(session, workspace, now);
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
    for (const line of this.#lines.values()) await line.running;
    await Promise.all([this.#watcher.close(), this.#engine.close()]);
    await this.#connections.close();
  }

  #lineOf(workspace: string): Line {
    let line = this.#lines.get(workspace);
    if (!line) {
      line = new Line(workspace);
      this.#lines.set(workspace, line);
    }
    return line;
  }

  async #drain(line: Line): Promise<void> {
    try {
      while (line.waiting.length > 0) await this.#runGroup(line);
    } finally {
      line.running = undefined;
    }
  }

  /** Runs what waits until it is durable, over and over where that helps; refuses it otherwise. */
  async #runGroup(line: Line): Promise<void> {
    const taken: Waiting[] = [];
    const until = performance.now() + this.#patience;
    for (let tries = 1, repeats = 0; ; ) {
      try {
        const settle = await this.#connections.with((session) => this.#attempt(session, line, taken));
        settle();
        return;
      } catch (error) {
        if (error instanceof Repeat) {
          repeats += 1;
          error.culprit.careful = true;
          if (repeats > REPEATS) for (const waiting of taken) waiting.careful = true;
          continue;
        }
        if (isPassing(error) && tries < TRIES && performance.now() < until && !this.#closing) {
          await setTimeout(WAIT * 2 ** (tries - 1) * (0.5 + Math.random() / 2));
          tries += 1;
          continue;
        }
        const refusal = storageRefusal(error, this.name);
        for (const { reject } of taken.length > 0 ? taken : line.waiting.splice(0)) reject(refusal);
        return;
      }
    }
  }

  /** One try of a group: those that were taken before, and whoever came meanwhile. Returns how to answer them. */
  async #attempt(session: Session, line: Line, taken: Waiting[]): Promise<() => void> {
    const group = new Group(session, line);
    const { clock } = this.#options;
    try {
      await group.begin(clock && (() => clock.now()));
      const base = { seq: group.head.seq, revisions: line.revisions() };
      const answers: (() => void)[] = [];
      const until = performance.now() + GROUP_TIME;
      for (let i = 0; ; i += 1) {
        if (i === taken.length) {
          const next = i < GROUP_SIZE && performance.now() < until ? line.waiting.shift() : undefined;
          if (!next) break;
          taken.push(next);
        }
        answers.push(await this.#runOne(session, group, line, taken[i] as Waiting));
      }
      if (group.wrote) await this.#commit(session, group);
      else await session.ask('ROLLBACK');
      const { head, numbers } = group;
      if (!group.wrote) line.abandoned();
      else line.committed(head.seq, numbers);
      return () => {
        for (const answer of answers) answer();
        if (group.wrote) this.#watcher.committed(line.workspace, base, group, line.revisions());
      };
    } catch (error) {
      line.abandoned();
      throw error;
    }
  }

  async #runOne(session: Session, group: Group, line: Line, waiting: Waiting): Promise<() => void> {
    const tx = new PostgresTx({ session, group, line, waiting, newId: this.#newId, engine: this.#engine });
    try {
      const value = await tx.runAlone(() => (waiting.work as (tx: Tx) => Promise<unknown>)(tx));
      if (group.spoilt) throw group.spoilt;
      return () => waiting.resolve(value);
    } catch (error) {
      if (error instanceof Repeat || isPassing(error)) throw error;
      return () => waiting.reject(error);
    }
  }

  async #commit(session: Session, group: Group): Promise<void> {
    await group.finish();
    try {
      const { command } = await session.ask('COMMIT');
      if (command !== 'COMMIT') throw new Error(`the database answered ${command} to COMMIT`);
    } catch (error) {
      if (!isLost(error)) throw error;
      if (!(await this.#tookPlace(group.xact))) throw error;
    }
  }

  /** Whether a transaction took place whose answer was lost. @throws Refusal `unavailable` when nobody can tell in time. */
  async #tookPlace(xact: string): Promise<boolean> {
    const until = performance.now() + this.#patience;
    for (let tries = 0; performance.now() < until; tries += 1) {
      try {
        const { rows } = await this.#connections.with((session) => session.ask(OUTCOME, [xact]));
        const status = (rows as { status: string | null }[])[0]?.status;
        if (status === 'committed' || status === 'aborted') return status === 'committed';
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await setTimeout(WAIT * 2 ** Math.min(tries, 3));
    }
    throw new Refusal(
      'unavailable',
      'The database went away while it was written: it is not known whether this took place. Repeat it with the same key.',
      { retryAfter: 1_000 },
    );
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
        return await this.#connections.with(work);
      } catch (error) {
        if (!isPassing(error) || tries === 2) throw storageRefusal(error, this.name);
      }
    }
  }
}

const stopping = () => new Refusal('unavailable', 'Signalbox is stopping.', { retryAfter: 5_000 });
