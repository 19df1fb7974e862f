import type { Logger } from 'pino';
import type { Store } from '../core/store.ts';
import { runbookOf, type Catalog } from '../domain/catalog.ts';
import type { Clock } from '../domain/clock.ts';
import { jobDigest, jobs, type JobRow, type Outcome } from '../domain/job.ts';
import { sha256 } from '../domain/json.ts';
import { DEFAULT_CAPABILITY, type Runbook } from '../domain/runbook.ts';
import type { Execution } from './executors/execution.ts';
import { JobLog } from './job-log.ts';
import { begin, claim, finish, giveBack, LEASE, recover, renew } from '../core/jobs/state.ts';

export interface JobWorkerOptions {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly execute: (execution: Execution) => Promise<Outcome>;
  /** Unique among workers. */
  readonly owner: string;
  readonly concurrency?: number;
  readonly random?: () => number;
  readonly ended?: (job: JobRow, outcome: Outcome) => void;
}

interface Running {
  readonly job: JobRow;
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** How often to look for jobs whose time has come and for claims of lost workers, in milliseconds. */
const LOOK_EVERY = 1_000;

/** Runs jobs: woken by commits that touch them, claims, executes, writes how they ended. */
export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #workspace: string;
  readonly #running = new Map<string, Running>();
  #unlisten: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  #lookedAt = performance.now();

  constructor(options: JobWorkerOptions) {
    this.#options = options;
    this.#workspace = options.catalog.workspace;
  }

  start(): void {
    this.#unlisten = this.#options.store.onCommit((commit) => {
      if (commit.workspace === this.#workspace && commit.tables.has(jobs.name)) this.wake();
    });
    this.#timer = setInterval(() => this.wake(), LOOK_EVERY);
    this.wake();
  }

  /** Milliseconds since it last reached the queue. */
  get sinceLook(): number {
    return performance.now() - this.#lookedAt;
  }

  /** Looks for work now; calls during a look are folded into one more. */
  wake(): void {
    this.#again = true;
    this.#pumping ??= this.#pump();
  }

  /** Claims nothing more; lets what runs end until the deadline, then stops it and gives it back to the queue. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    await this.#pumping;
    const abort = () => {
      for (const { stop } of this.#running.values()) stop.abort('stopping');
    };
    if (deadline.aborted) abort();
    else deadline.addEventListener('abort', abort, { once: true });
    await Promise.all([...this.#running.values()].map((r) => r.done));
    clearInterval(this.#timer);
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#look();
      }
    } catch (err) {
      this.#options.log.error({ err }, 'the job worker could not reach the database; it looks again shortly');
    } finally {
      this.#pumping = undefined;
    }
  }

  async #look(): Promise<void> {
    const { store, owner, concurrency = 8 } = this.#options;
    const free = this.#stopped ? 0 : concurrency - this.#running.size;
    const claims = [...this.#running.values()].map((r) => r.job);
    const { claimed, stop } = await store.transaction(this.#workspace, async (tx) => ({
      stop: claims.length > 0 ? await renew(tx, claims) : [],
      recovered: await recover(tx),
      claimed:
        free > 0
          ? await claim(tx, owner, { capabilities: [DEFAULT_CAPABILITY], limit: free, room: new Map() })
          : [],
    }));
    this.#lookedAt = performance.now();
    for (const id of stop) this.#running.get(id)?.stop.abort('cancelled');
    for (const job of claimed) this.#launch(job);
  }

  #launch(job: JobRow): void {
    const stop = new AbortController();
    const done = this.#run(job, stop.signal)
      .catch((err: unknown) =>
        this.#options.log.error({ err, job: job.ref }, 'a job could not be finished; its lease will run out'),
      )
      .finally(() => {
        this.#running.delete(job.id);
        if (!this.#stopped) this.wake();
      });
    this.#running.set(job.id, { job, stop, done });
  }

  async #run(claimed: JobRow, signal: AbortSignal): Promise<void> {
    const { store, clock, random = Math.random, ended } = this.#options;
    const job = await store.transaction(this.#workspace, (tx) => begin(tx, claimed));
    if (!job) return;
    const log = new JobLog(store, this.#workspace, job.ref);
    const runbook = runbookOf(this.#options.catalog, job.runbook);
    const outcome = await this.#execute(job, runbook, signal, (stream, line) =>
      log.add(stream, line, clock.now()),
    );
    const stopped = outcome.kind === 'cancelled' && signal.reason === 'stopping';
    const kept = await this.#finish(async () => {
      await log.flush();
      return store.transaction(this.#workspace, (tx) =>
        stopped ? giveBack(tx, job) : finish(tx, job, runbook, outcome, random),
      );
    });
    if (stopped) return;
    if (kept) ended?.(job, outcome);
    else
      this.#options.log.warn(
        { job: job.ref, fence: job.fence },
        'a result came after its claim was lost; it was dropped',
      );
  }

  /** The effect has happened: writing it down is tried until the claim would be over anyway. */
  async #finish(write: () => Promise<boolean>): Promise<boolean> {
    for (let waited = 100; ; waited *= 2) {
      try {
        return await write();
      } catch (error) {
        if (waited > LEASE / 4) throw error;
        await new Promise((resolve) => setTimeout(resolve, waited));
      }
    }
  }

  async #execute(
    job: JobRow,
    runbook: Runbook | undefined,
    signal: AbortSignal,
    log: (stream: 'out' | 'err' | 'info', line: string) => void,
  ): Promise<Outcome> {
    if (!runbook) return { kind: 'fail', reason: `the configuration no longer defines ${job.runbook}` };
    // What was approved is what runs, also at a later try and after a restart with another configuration.
    if (job.approval !== null && jobDigest(runbook, job.args) !== job.digest)
      return {
        kind: 'fail',
        reason: `${job.runbook} was changed since ${job.approval} was given; ask again`,
      };
    const { args, attempt } = job;
    const idempotencyKey = sha256(`${this.#workspace}\n${job.id}`);
    try {
      return await this.#options.execute({
        runbook,
        args,
        attempt,
        idempotencyKey,
        cause: job.ref,
        signal,
        log,
        progress: () => undefined,
        effect: () => undefined,
      });
    } catch (err) {
      this.#options.log.error({ err, job: job.ref }, 'an executor failed unexpectedly');
      return { kind: 'retry', reason: 'the executor failed unexpectedly; see the server log' };
    }
  }
}
