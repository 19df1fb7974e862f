import type { Logger } from 'pino';
import type { Ask } from '../core/jobs/waiting.ts';
import { outboundKey } from '../core/jobs/receipts.ts';
import { obstacle } from '../core/jobs/starting.ts';
import type { Store } from '../core/store.ts';
import { overBound } from '../domain/bounds.ts';
import { runbookOf, type Catalog } from '../domain/catalog.ts';
import type { Clock } from '../domain/clock.ts';
import type { Receipt } from '../domain/effect.ts';
import { Refusal } from '../domain/errors.ts';
import type { JobRow, Outcome } from '../domain/job.ts';
import type { Runbook } from '../domain/runbook.ts';
import type { Execution } from './executors/execution.ts';
import { JobLog } from './job-log.ts';
import { JobWatch } from './job-watch.ts';
import { runSteps } from './steps.ts';

export interface AttemptParts {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly execute: (execution: Execution) => Promise<Outcome>;
  /** Asks for the approval that a step waits for; absent: none can be asked for. */
  readonly ask?: Ask;
  readonly random?: () => number;
  /** Aborts when what could not be written down is left to others. */
  readonly giveUp: AbortSignal;
}

const askNobody: Ask = () => Promise.reject(new Refusal('unavailable', 'Nobody can be asked from here.'));

/** Why a try is stopped from outside its executor. */
export type Stop = 'cancelled' | 'lost' | 'stopping';

/** One try of one claimed job: runs it and gathers what has to be written down with its end. */
export class Attempt {
  readonly job: JobRow;
  /** As the configuration has it now, undefined where it no longer does; once its steps have begun, as it was then. */
  readonly runbook: Runbook | undefined;
  /** What was done outside so far. */
  readonly receipts: Receipt[] = [];
  readonly log: JobLog;
  readonly watch: JobWatch;
  readonly #parts: AttemptParts;
  readonly #stop = new AbortController();
  /** Aborted, with the outcome, when the try meets a bound of its runbook. */
  readonly #bound = new AbortController();

  constructor(parts: AttemptParts, job: JobRow) {
    const { store, catalog } = parts;
    this.#parts = parts;
    this.job = job;
    this.runbook = job.plan ?? runbookOf(catalog, job.runbook);
    this.log = new JobLog({
      store,
      workspace: catalog.workspace,
      job: job.ref,
      limit: this.runbook?.bounds.logLines ?? 0,
      exceeded: () => this.runbook && this.#bound.abort(overBound('bounds.logLines', this.runbook)),
    });
    this.watch = new JobWatch(job, this.log);
  }

  /** Why it was stopped, if it was: the first reason counts. */
  get stopped(): Stop | undefined {
    return this.#stop.signal.aborted ? (this.#stop.signal.reason as Stop) : undefined;
  }

  stop(why: Stop): void {
    this.#stop.abort(why);
  }

  /** Never rejects: what nobody foresaw is logged and worth another try. */
  async run(): Promise<Outcome> {
    const start = this.#start();
    if (!('execution' in start)) return start;
    const outcome = await this.#execute(start.execution);
    const { aborted, reason } = this.#bound.signal;
    return outcome.kind === 'cancelled' && aborted && !this.stopped ? (reason as Outcome) : outcome;
  }

  /** What is to be executed, or why it cannot start. */
  #start(): { readonly execution: Execution } | Outcome {
    const { job, runbook } = this;
    const fail = (reason: string): Outcome => ({ kind: 'fail', stage: 'start', reason });
    const reason = obstacle(job, runbook);
    if (!runbook || reason !== undefined) return fail(reason ?? '');
    return { execution: this.#execution(runbook) };
  }

  #execution(runbook: Runbook): Execution {
    const { job, receipts } = this;
    const { catalog, clock } = this.#parts;
    const key = outboundKey(catalog.workspace, job);
    return {
      runbook,
      args: job.args,
      attempt: job.attempt,
      idempotencyKey: key,
      cause: job.ref,
      signal: AbortSignal.any([this.#stop.signal, this.#bound.signal]),
      log: (stream, line) => {
        this.log.add(stream, line, clock.now());
        this.watch.line();
      },
      progress: (progress) => this.watch.progress(progress),
      effect: (effect) => receipts.push({ ...effect, step: null, key }),
    };
  }

  #execute(execution: Execution): Promise<Outcome> {
    const { store, catalog, execute, ask = askNobody, random = Math.random, giveUp } = this.#parts;
    const once = (one: Execution) => this.#once(execute, one);
    if (execution.runbook.executor.kind !== 'steps') return once(execution);
    const { job, receipts } = this;
    const { workspace } = catalog;
    const signals = { signal: this.#stop.signal, bound: this.#bound.signal };
    const run = { ...execution, ...signals, job, receipts, store, workspace, execute: once, ask, random };
    return this.#guard(
      () => runSteps({ ...run, giveUp }).catch((err: unknown) => this.#unwritten(err)),
      'its steps could not be written down; see the server log',
    );
  }

  /** Where the database is away until the process ends, what was begun is for somebody else to go on with. */
  #unwritten(error: unknown): Outcome {
    if (!(error instanceof Refusal) || error.code !== 'unavailable') throw error;
    this.stop('lost');
    return { kind: 'cancelled' };
  }

  /** What was done outside before something went wrong is not done again. */
  async #once(execute: AttemptParts['execute'], execution: Execution): Promise<Outcome> {
    const before = this.receipts.length;
    const outcome = await this.#guard(() => execute(execution));
    if (!isUnexpected(outcome) || this.receipts.length === before) return outcome;
    return { kind: 'fail', stage: 'report', reason: `it was done, but ${outcome.reason}` };
  }

  async #guard(
    work: () => Promise<Outcome>,
    reason = 'the executor failed unexpectedly; see the server log',
  ): Promise<Outcome> {
    try {
      return await work();
    } catch (err) {
      this.#parts.log.error({ err, job: this.job.ref }, 'a try failed unexpectedly');
      return { kind: 'retry', failure: 'unexpected', reason };
    }
  }
}

const isUnexpected = (outcome: Outcome): outcome is Extract<Outcome, { kind: 'retry' }> =>
  outcome.kind === 'retry' && outcome.failure === 'unexpected';
