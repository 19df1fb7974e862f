import type { JournalEntry } from '../domain/journal.ts';
import { jobLogs, jobs } from '../domain/job.ts';
import type { Row } from '../domain/table.ts';
import type { Feed, LogLine } from './feed.ts';
import type { Store } from './store.ts';

const PAGE = 500;
/** Reads that a journal entry waits for at most, so that a job's last lines come before its end. */
const MOST_PASSES = 40;

/** The live reads of one store: entries as commits announce them, log lines as one reader follows them for all. */
export function createFeed(store: Store, report: (error: unknown) => void = () => undefined): Feed {
  const entries = new Listeners<JournalEntry>(report);
  const lines = new Listeners<LogLine>(report);
  const tails = new Map<string, LogTail>();
  const held = new Map<string, JournalEntry[]>();
  const tell = (workspace: string, list: readonly JournalEntry[]) => {
    for (const entry of list) entries.tell(workspace, entry);
  };
  store.onCommit(({ workspace, entries: list, tables }) => {
    const tail = tails.get(workspace);
    if (tables.has(jobLogs.name)) tail?.wake();
    const waiting = held.get(workspace);
    if (waiting) waiting.push(...list);
    else if (list.length === 0 || !tail?.busy) tell(workspace, list);
    else {
      // A job's last lines were committed before its end, so they are told before it, too.
      held.set(workspace, [...list]);
      const release = () => {
        const late = held.get(workspace) ?? [];
        held.delete(workspace);
        tell(workspace, late);
      };
      tail.caughtUp().then(release).catch(report);
    }
  });
  return {
    onEntry: (workspace, listener) => entries.add(workspace, listener),
    onLog(workspace, listener) {
      if (!tails.has(workspace)) tails.set(workspace, new LogTail(store, workspace, lines));
      return lines.add(workspace, listener);
    },
    history: (workspace, after, limit) => store.history(workspace, after, limit),
    logs: (workspace, job, after, limit) =>
      store.read(workspace, async (tx) => {
        const where = { job, cursor: { above: after } };
        return (await tx.find(jobLogs, { where, orderBy: [{ column: 'cursor' }], limit })).map(lineOf);
      }),
    jobState: (workspace, job) =>
      store.read(workspace, async (tx) => (await tx.get(jobs, { ref: job }))?.state),
    head: (workspace) => store.head(workspace),
  };
}

class Listeners<T> {
  readonly #of = new Map<string, Set<(item: T) => void>>();
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  add(workspace: string, listener: (item: T) => void): () => void {
    const set = this.#of.get(workspace) ?? new Set();
    this.#of.set(workspace, set.add(listener));
    return () => set.delete(listener);
  }

  /** One listener that fails keeps nothing from the others. */
  tell(workspace: string, item: T): void {
    for (const listener of this.#of.get(workspace) ?? []) {
      try {
        listener(item);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  has(workspace: string): boolean {
    return (this.#of.get(workspace)?.size ?? 0) > 0;
  }
}

/** Follows the log lines of a workspace by their rising id, so that each is read once however many watch. */
class LogTail {
  readonly #store: Store;
  readonly #workspace: string;
  readonly #lines: Listeners<LogLine>;
  #after: string | undefined;
  #pass: Promise<void> | undefined;
  #again = false;

  constructor(store: Store, workspace: string, lines: Listeners<LogLine>) {
    this.#store = store;
    this.#workspace = workspace;
    this.#lines = lines;
    this.wake();
  }

  get busy(): boolean {
    return this.#pass !== undefined;
  }

  wake(): void {
    this.#again = true;
    this.#pass ??= this.#read();
  }

  /** Resolves once everything committed by now was told, or could not be read. */
  async caughtUp(): Promise<void> {
    // What is under way may have begun before; where lines never end, news does not wait for ever.
    for (let passes = 0; this.#pass && passes < MOST_PASSES; passes += 1) await this.#pass;
  }

  async #read(): Promise<void> {
    this.#again = false;
    try {
      const rows = await this.#next();
      for (const row of rows) this.#lines.tell(this.#workspace, lineOf(row));
      if (rows.length === PAGE) this.#again = true;
    } catch {
      // The database is away or closing: the next commit wakes this reader, which continues where it was.
      this.#again = false;
    }
    this.#pass = this.#again ? this.#read() : undefined;
  }

  /** From the end at first: what was logged before anybody watched is read from history. */
  async #next(): Promise<Row<typeof jobLogs>[]> {
    return this.#store.read(this.#workspace, async (tx) => {
      if (this.#after === undefined || !this.#lines.has(this.#workspace)) {
        const [last] = await tx.find(jobLogs, { orderBy: [{ column: 'id', descending: true }], limit: 1 });
        this.#after = last?.id ?? '';
        return [];
      }
      const rows = await tx.find(jobLogs, {
        where: { id: { above: this.#after } },
        orderBy: [{ column: 'id' }],
        limit: PAGE,
      });
      this.#after = rows.at(-1)?.id ?? this.#after;
      return rows;
    });
  }
}

const lineOf = ({ job, cursor, stream, line }: Row<typeof jobLogs>): LogLine => ({
  job,
  cursor,
  stream,
  line,
});
