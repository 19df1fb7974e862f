import type { Database } from 'better-sqlite3';
import type { Commit } from '../../core/store.ts';
import type { JournalEntry } from '../../domain/journal.ts';
import type { CommittedJournal } from './committed-journal.ts';

/** How often to look for commits of other processes on the same file, in milliseconds. */
const WATCH_EVERY = 1_000;
const PAGE = 1_000;

/** What another process wrote besides the entries it left is not known: it may be anything. */
class EveryTable extends Set<string> {
  override has(): boolean {
    return true;
  }
}
const EVERY_TABLE: ReadonlySet<string> = new EveryTable();

/** Tells listeners of each durable commit, ours and other processes', every entry once and in sequence. */
export class Announcer {
  readonly #db: Database;
  readonly #journal: CommittedJournal;
  readonly #report: (error: unknown) => void;
  readonly #listeners = new Set<(commit: Commit) => void>();
  /** The last sequence told, per workspace. */
  readonly #told = new Map<string, number>();
  readonly #watch: NodeJS.Timeout;
  #dataVersion: number;

  /** `db` is the connection that writes: its data version changes when another one has written. */
  constructor(db: Database, journal: CommittedJournal, report: (error: unknown) => void) {
    this.#db = db;
    this.#journal = journal;
    this.#report = report;
    for (const { workspace, seq } of journal.heads()) this.#told.set(workspace, seq);
    this.#dataVersion = this.#version();
    this.#watch = setInterval(() => this.lookOutside(), WATCH_EVERY).unref();
  }

  listen(listener: (commit: Commit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  head(workspace: string): number {
    return this.#told.get(workspace) ?? 0;
  }

  /** Passes on a commit of ours; what another process wrote in between is read and told first. */
  announce(workspace: string, entries: readonly JournalEntry[], tables: ReadonlySet<string>): void {
    const first = entries[0];
    if (first && first.seq > this.head(workspace) + 1) this.#catchUp(workspace, first.seq - 1);
    this.#tell(workspace, entries, tables);
  }

  /** Looks whether another process has committed. */
  lookOutside(): void {
    try {
      const version = this.#version();
      if (version === this.#dataVersion) return;
      this.#dataVersion = version;
      for (const { workspace, seq } of this.#journal.heads()) {
        this.#catchUp(workspace, seq);
        this.#tell(workspace, [], EVERY_TABLE);
      }
    } catch (error) {
      this.#report(error);
    }
  }

  /** Tells what was written elsewhere. A file that cannot be read is met, and answered, by the next command. */
  #catchUp(workspace: string, until: number): void {
    try {
      for (let told = this.head(workspace); told < until; told = this.head(workspace)) {
        const page = this.#journal.entries(workspace, told, Math.min(PAGE, until - told));
        if (page.length === 0) return;
        this.#tell(workspace, page, EVERY_TABLE);
      }
    } catch (error) {
      this.#report(error);
    }
  }

  close(): void {
    clearInterval(this.#watch);
  }

  #tell(workspace: string, entries: readonly JournalEntry[], tables: ReadonlySet<string>): void {
    const last = entries.at(-1);
    if (last) this.#told.set(workspace, last.seq);
    for (const listener of this.#listeners) {
      try {
        listener({ workspace, entries, tables });
      } catch (error) {
        // What one listener makes of a commit is no reason to leave the others, or the next group, waiting.
        this.#report(error);
      }
    }
  }

  #version(): number {
    return this.#db.pragma('data_version', { simple: true }) as number;
  }
}
