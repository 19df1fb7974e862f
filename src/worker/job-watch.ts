import { held } from '../core/jobs/claiming.ts';
import { noteProgress } from '../core/jobs/progress.ts';
import { hearsNews, NEWS_EVERY, tellNews } from '../core/jobs/telling.ts';
import type { Tx } from '../core/store.ts';
import type { JobRow, Progress } from '../domain/job.ts';
import type { JobLog } from './job-log.ts';

/** Progress is written this often at most, in milliseconds. */
const WRITE_EVERY = 1_000;
/** Timers are not exact, and news that come too soon are not told. */
const MARGIN = 100;

/** How one try comes along, for whoever watches: the newest progress, and news for the conversation that asked. */
export class JobWatch {
  readonly #job: JobRow;
  readonly #log: JobLog;
  #newest: Progress | undefined;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #over = false;

  constructor(job: JobRow, log: JobLog) {
    this.#job = job;
    this.#log = log;
  }

  progress(progress: Progress): void {
    this.#newest = progress;
    this.#at(Math.max(performance.now(), this.#writtenAt + WRITE_EVERY));
  }

  /** There is another line in its log. */
  line(): void {
    if (hearsNews(this.#job)) this.#at(performance.now() + NEWS_EVERY + MARGIN);
  }

  /** Writes what has not been written, with the end of the try; its news are the end. Returns whether there was any. */
  async end(tx: Tx): Promise<boolean> {
    this.#over = true;
    clearTimeout(this.#timer);
    return this.#newest !== undefined && (await this.#note(tx)) !== undefined;
  }

  /** Writes at an instant, if it is not to be sooner anyway. */
  #at(instant: number): void {
    if (this.#over || instant >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = instant;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Number.POSITIVE_INFINITY;
        // What could not be written is out of date by the time the database is back.
        if (!this.#over) void this.#log.with((tx) => this.#write(tx)).catch(() => undefined);
      },
      Math.max(0, instant - performance.now()),
    );
  }

  async #write(tx: Tx): Promise<void> {
    const row = await this.#note(tx);
    if (row) await tellNews(tx, row);
  }

  /** The job as it stands, with the newest progress; undefined when the claim was lost. */
  async #note(tx: Tx): Promise<JobRow | undefined> {
    this.#writtenAt = performance.now();
    const row = await held(tx, this.#job);
    if (row?.state !== 'running') return undefined;
    return this.#newest ? noteProgress(tx, row, this.#newest) : row;
  }
}
