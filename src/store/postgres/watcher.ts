import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Commit } from '../../core/store.ts';
import { SECOND } from '../../domain/clock.ts';
import type { JournalEntry } from '../../domain/journal.ts';
import { connect, disconnect, serverConfig, socketOf } from './client.ts';
import { named } from './dialect.ts';
import { entriesAfter } from './entries.ts';
import type { Session } from './session.ts';
import { storageRefusal } from './storage-errors.ts';

const CHANNEL = 'signalbox';
/** How often to look without being told: what a lost connection has kept from us. In milliseconds. */
const LOOK_EVERY = SECOND;
/** Milliseconds between two notices of ours: each serialises the commits of the whole server for a moment. */
const NOTICE_EVERY = 3;
/** Characters of a notice; PostgreSQL takes 8000 bytes. */
const NOTICE_LENGTH = 1_500;
/** How often the connection is asked whether it is still there, and how long its answers may take, in milliseconds. */
const ALIVE_EVERY = 5 * SECOND;
const ANSWER_WITHIN = 5 * SECOND;
const PAGE = 1_000;
/** Times that a look begins anew because of a commit of ours. */
const MOST_TRIES = 3;
const HEAD = named('SELECT seq, revisions FROM chains WHERE workspace = $1');
const NOTIFY = `SELECT pg_notify('${CHANNEL}', $1)`;

/** The end of a workspace's journal, and how often its tables were written by then. */
interface State {
  readonly seq: number;
  readonly revisions: string;
}

export interface WatcherOptions {
  readonly url: string;
  readonly lockTimeout: number;
  readonly report: (error: unknown) => void;
  workspaces(): Promise<string[]>;
  /** Runs reads on one consistent state of a workspace. */
  look<T>(workspace: string, work: (session: Session) => Promise<T>): Promise<T>;
}

/**
 * Tells listeners of each durable commit, ours and other processes', every entry once and in sequence. One connection
 * per process listens for others' notices and sends ours, outside of any transaction and a few hundred times a second at
 * most; which entries and tables are new is read from the database, so a notice that is lost costs no more than a second.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #listeners = new Set<(commit: Commit) => void>();
  readonly #told = new Map<string, State>();
  /** Looks under way, and whether another has to follow. */
  readonly #looks = new Map<string, { again: boolean; done: Promise<void> }>();
  readonly #self = randomUUID();
  readonly #due = new Set<string>();
  #client: pg.Client | undefined;
  #connecting: Promise<void> | undefined;
  #notifying: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the connection last answered, by the process's steady clock. */
  #answered = 0;
  #closed = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** From here on every commit is told. */
  async start(): Promise<void> {
    for (const workspace of await this.#options.workspaces())
      this.#told.set(workspace, await this.#state(workspace));
    this.#connecting = this.#connect();
    this.#timer = setInterval(() => this.#lookAround(), LOOK_EVERY).unref();
  }

  listen(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A commit of ours, which began at `base` and left the tables at `revisions`. */
  committed(
    workspace: string,
    base: State,
    { entries, tables }: { entries: readonly JournalEntry[]; tables: ReadonlySet<string> },
    revisions: string,
  ): void {
    this.#notify(workspace);
    const told = this.#stateTold(workspace);
    if (told.seq === base.seq && told.revisions === base.revisions) {
      this.#tell(workspace, entries, tables, { seq: entries.at(-1)?.seq ?? base.seq, revisions });
      return;
    }
    // What others wrote in between comes first, and is read together with our entries; that our tables have changed is
    // told at once, as whoever is answered now may go by it.
    this.#tell(workspace, [], tables, told);
    this.#look(workspace);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#connecting;
    await this.#notifying;
    if (this.#client) await disconnect(this.#client);
    await Promise.all(Array.from(this.#looks.values(), ({ done }) => done));
  }

  #stateTold(workspace: string): State {
    let told = this.#told.get(workspace);
    if (!told) {
      told = { seq: 0, revisions: '{}' };
      this.#told.set(workspace, told);
    }
    return told;
  }

  #state(workspace: string): Promise<State> {
    return this.#options.look(workspace, async (session) => {
      const { rows } = await session.ask(HEAD, [workspace]);
      return (rows as State[])[0] ?? { seq: 0, revisions: '{}' };
    });
  }

  async #connect(): Promise<void> {
    try {
      const { url, lockTimeout } = this.#options;
      const client = await connect(serverConfig({ url, lockTimeout, answerWithin: ANSWER_WITHIN }));
      client.on('end', () => {
        if (this.#client === client) this.#client = undefined;
      });
      client.on('notification', ({ payload = '' }) => this.#heard(payload));
      this.#client = client;
      await this.#ask(client, `LISTEN ${CHANNEL}`);
    } catch {
      // The next look tries again; until then looks are all there is.
    } finally {
      this.#connecting = undefined;
    }
    // What was committed before it listened.
    this.#lookAround();
  }

  #heard(payload: string): void {
    const [sender, ...workspaces] = JSON.parse(payload) as string[];
    if (sender === this.#self) return;
    for (const workspace of workspaces) this.#look(workspace);
  }

  #lookAround(): void {
    if (this.#closed) return;
    if (!this.#client) this.#connecting ??= this.#connect();
    else if (this.#due.size > 0 || performance.now() > this.#answered + ALIVE_EVERY)
      this.#notifying ??= this.#sendNotices(this.#client);
    this.#options.workspaces().then(
      (workspaces) => {
        for (const workspace of workspaces) this.#look(workspace);
      },
      () => undefined, // a database that is away is met, and answered, by the next command
    );
  }

  /** Tells what is new in a workspace, once more if it is asked for meanwhile. */
  #look(workspace: string): void {
    if (this.#closed) return;
    const running = this.#looks.get(workspace);
    if (running) {
      running.again = true;
      return;
    }
    const look = { again: false, done: Promise.resolve() };
    this.#looks.set(workspace, look);
    look.done = this.#catchUp(workspace).finally(() => {
      this.#looks.delete(workspace);
      if (look.again) this.#look(workspace);
    });
  }

  async #catchUp(workspace: string): Promise<void> {
    try {
      for (let more = true, tries = 0; more; tries += 1) more = await this.#page(workspace, tries);
    } catch (error) {
      if (this.#closed || storageRefusal(error, '') !== error) return;
      // An entry that cannot be read: it is passed over, and what comes after it is told.
      this.#options.report(error);
      const state = await this.#state(workspace).catch(() => undefined);
      if (state) this.#tell(workspace, [], new Set(), state);
    }
  }

  /** Tells the next entries; returns whether there may be more. */
  async #page(workspace: string, tries: number): Promise<boolean> {
    const told = this.#stateTold(workspace);
    const [state, entries] = await this.#options.look(workspace, async (session) => {
      const [head, page] = await Promise.all([
        session.ask(HEAD, [workspace]),
        entriesAfter(session, workspace, told.seq, PAGE),
      ]);
      return [(head.rows as State[])[0], page] as const;
    });
    // A commit of ours came first, so nobody else's was missing then; the next one looks again if that has changed.
    if (this.#told.get(workspace) !== told) return tries < MOST_TRIES;
    if (!state || (state.seq === told.seq && state.revisions === told.revisions)) return false;
    const seq = entries.at(-1)?.seq ?? state.seq;
    this.#tell(workspace, entries, changed(told.revisions, state.revisions), { ...state, seq });
    return seq < state.seq;
  }

  #tell(
    workspace: string,
    entries: readonly JournalEntry[],
    tables: ReadonlySet<string>,
    state: State,
  ): void {
    this.#told.set(workspace, state);
    for (const listener of this.#listeners) {
      try {
        listener({ workspace, entries, tables });
      } catch (error) {
        // What one listener makes of a commit is no reason to leave the others waiting.
        this.#options.report(error);
      }
    }
  }

  #notify(workspace: string): void {
    this.#due.add(workspace);
    if (this.#client) this.#notifying ??= this.#sendNotices(this.#client);
  }

  /** Sends what is due; where nothing is, asks whether the far side is still there. */
  async #sendNotices(client: pg.Client): Promise<void> {
    try {
      if (this.#due.size === 0) await this.#ask(client, 'SELECT 1');
      while (this.#due.size > 0) {
        await this.#ask(client, NOTIFY, [this.#notice()]);
        await new Promise((resolve) => setTimeout(resolve, NOTICE_EVERY));
      }
    } catch {
      // The connection is gone: others look by themselves.
    } finally {
      this.#notifying = undefined;
    }
  }

  /** @throws when there is no answer in time; the connection is cut then. */
  async #ask(client: pg.Client, text: string, values: string[] = []): Promise<void> {
    try {
      await client.query(text, values);
      this.#answered = performance.now();
    } catch (error) {
      socketOf(client).destroy();
      throw error;
    }
  }

  /** As many of the workspaces that are due as fit into one notice. */
  #notice(): string {
    const told: string[] = [];
    for (let length = 0; length < NOTICE_LENGTH; ) {
      const [workspace] = this.#due;
      if (workspace === undefined) break;
      this.#due.delete(workspace);
      told.push(workspace);
      length += workspace.length + 3;
    }
    return JSON.stringify([this.#self, ...told]);
  }
}

/** The tables that were written between two states. */
function changed(before: string, after: string): Set<string> {
  const counts = JSON.parse(before) as Record<string, number>;
  const present = Object.entries(JSON.parse(after) as Record<string, number>);
  return new Set(present.filter(([table, count]) => count !== counts[table]).map(([table]) => table));
}
