import { type Line, addLines } from '../core/jobs/log.ts';
import type { Store, Tx } from '../core/store.ts';

/** How long a line may wait for others to share its commit, in milliseconds. */
const GATHER = 25;

type Transact = <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;

export interface JobLogOptions {
  readonly store: Store;
  readonly workspace: string;
  /** `jobs.ref`. */
  readonly job: string;
  /** Lines of output that are kept; what Signalbox itself adds is not counted. */
  readonly limit: number;
  /** Called once, when there is more output than that. */
  readonly exceeded: () => void;
}

/** The log of one try of a job: lines gathered into one transaction every few milliseconds, up to the bound. */
export class JobLog {
  readonly #options: JobLogOptions;
  /** Not durable yet. */
  #lines: Line[] = [];
  #output = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The write under way, or the last one: one after another, so that no line is taken twice. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: JobLogOptions) {
    this.#options = options;
  }

  add(stream: Line['stream'], line: string, at: Date): void {
    if (stream !== 'info') this.#output += 1;
    if (stream !== 'info' && this.#output > this.#options.limit) {
      if (this.#output === this.#options.limit + 1) this.#options.exceeded();
      return;
    }
    this.#lines.push({ stream, line, at });
    // A failed write is met again, with its lines, at the end of the try.
    this.#timer ??= setTimeout(() => void this.with(async () => undefined).catch(() => undefined), GATHER);
  }

  /** Does `work` in one transaction with the lines that are not durable yet: one of its own, or the one that is given. */
  with<T>(work: (tx: Tx) => Promise<T>, transact: Transact = this.#transact): Promise<T> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const done = this.#last.then(() => this.#write(work, transact));
    this.#last = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  readonly #transact: Transact = (work) => this.#options.store.transaction(this.#options.workspace, work);

  async #write<T>(work: (tx: Tx) => Promise<T>, transact: Transact): Promise<T> {
    const { job } = this.#options;
    const lines = this.#lines.slice();
    const result = await transact(async (tx) => {
      await addLines(tx, job, lines);
      return work(tx);
    });
    this.#lines.splice(0, lines.length);
    return result;
  }
}
