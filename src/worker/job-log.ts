import type { Store, Tx } from '../core/store.ts';
import { jobLogs } from '../domain/job.ts';
import { redactText } from '../domain/redact.ts';

type Stream = 'out' | 'err' | 'info';
interface Line {
  readonly stream: Stream;
  readonly line: string;
  readonly at: Date;
}

/** How long a line may wait for others to share its commit, in milliseconds. */
const GATHER = 25;

/**
 * The log of one running job: lines gathered into one transaction every few milliseconds, secrets redacted, numbered by
 * a cursor of the job's own and by the workspace's line counter.
 */
export class JobLog {
  readonly #store: Store;
  readonly #workspace: string;
  readonly #job: string;
  #lines: Line[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();

  constructor(store: Store, workspace: string, job: string) {
    this.#store = store;
    this.#workspace = workspace;
    this.#job = job;
  }

  add(stream: Stream, line: string, at: Date): void {
    this.#lines.push({ stream, line: redactText(line), at });
    // A failed write is met again, with its lines, by `flush` at the end of the try.
    this.#timer ??= setTimeout(() => void this.flush().catch(() => undefined), GATHER);
  }

  /** Resolves once every line so far is durable. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.catch(() => undefined).then(() => this.#write());
    return this.#flushing;
  }

  async #write(): Promise<void> {
    const lines = this.#lines.splice(0);
    if (lines.length === 0) return;
    try {
      await this.#store.transaction(this.#workspace, (tx) => this.#insert(tx, lines));
    } catch (error) {
      this.#lines.unshift(...lines);
      throw error;
    }
  }

  async #insert(tx: Tx, lines: readonly Line[]): Promise<void> {
    const [last] = await tx.find(jobLogs, {
      where: { job: this.#job },
      orderBy: [{ column: 'cursor', descending: true }],
      limit: 1,
    });
    let cursor = last?.cursor ?? 0;
    for (const line of lines) {
      cursor += 1;
      const id = String(await tx.next('log')).padStart(15, '0');
      await tx.insert(jobLogs, { id, job: this.#job, cursor, ...line });
    }
  }
}
