import { tooLong } from '../../domain/bounds.ts';
import { Refusal } from '../../domain/errors.ts';
import { jobs, type JobRow, type Outcome } from '../../domain/job.ts';
import type { Json } from '../../domain/json.ts';
import type { Runbook, Step, StepWait } from '../../domain/runbook.ts';
import { fillArgs } from '../../domain/step-template.ts';
import {
  begunAt,
  brokenBy,
  nextMove,
  outputsOf,
  summaryOf,
  triesOf,
  type JobStepRow,
  type Move,
} from '../../domain/step.ts';
import type { Patch } from '../../domain/table.ts';
import { withArtifacts } from '../artifacts.ts';
import { runbookArgs } from '../runbook-args.ts';
import type { Tx } from '../store.ts';
import { held } from './claiming.ts';
import { emit, since } from './journalling.ts';
import { recordProbe, unlikeExpected } from './probe-sample.ts';
import { keptSteps } from './retaking.ts';
import { judge, requeue, type Failure } from './retrying.ts';
import {
  closeUnopened,
  failStep,
  finishStep,
  openStep,
  pauseStep,
  stepsOf,
  type Place,
} from './step-rows.ts';
import { keepTried, stands, type StepTry, type Tried, type Turn } from './step-tries.ts';
import { beginWait, type Ask } from './waiting.ts';

export interface StepsDeps {
  readonly ask: Ask;
  readonly random: () => number;
  /** What this came to when it was tried before: it may have taken place without an answer. */
  readonly doubtful?: Turn | undefined;
}

/**
 * One transaction of a job of steps: writes down how the last try ended, if there was one, and decides what comes next.
 * A lost claim writes nothing but the receipts of what was done. `docs/specs/saga.md` has the rules.
 */
export async function advance(
  tx: Tx,
  claimed: JobRow,
  runbook: Runbook,
  tried: Tried | undefined,
  deps: StepsDeps,
): Promise<Turn> {
  if (tried) await keepTried(tx, claimed, tried, deps.doubtful !== undefined);
  const job = await held(tx, claimed);
  // Whoever writes the end finds the claim lost.
  if (!job || runbook.executor.kind !== 'steps') return over({ kind: 'cancelled' });
  const { steps } = runbook.executor;
  const rows = await (job.plan ? stepsOf(tx, job) : keptSteps(tx, job, steps));
  if (deps.doubtful && stands(deps.doubtful, rows)) return deps.doubtful;
  const saga = new Saga(tx, job, runbook, steps, rows, deps);
  return (tried && (await saga.record(tried))) ?? saga.next();
}

const over = (outcome: Outcome): Turn => ({ kind: 'over', outcome });

/** A job of steps inside one transaction. */
class Saga {
  readonly #tx: Tx;
  #job: JobRow;
  readonly #runbook: Runbook;
  readonly #steps: readonly Step[];
  #rows: readonly JobStepRow[];
  readonly #deps: StepsDeps;

  constructor(
    tx: Tx,
    job: JobRow,
    runbook: Runbook,
    steps: readonly Step[],
    rows: readonly JobStepRow[],
    deps: StepsDeps,
  ) {
    this.#tx = tx;
    this.#job = job;
    this.#runbook = runbook;
    this.#steps = steps;
    this.#rows = rows;
    this.#deps = deps;
  }

  /** Returns a turn where the worker's own is over with this. */
  async record({ row: { id, version }, runbook, outcome: told }: Tried): Promise<Turn | undefined> {
    const row = this.#rows.find((one) => one.id === id);
    if (!row || told.kind === 'wait') return over({ kind: 'cancelled' });
    // It was written down already, and the answer was lost.
    if (row.version !== version) return undefined;
    const outcome = await withArtifacts(this.#tx, this.#job, told);
    if (outcome.kind === 'done') {
      const { executor } = runbook;
      if (executor.kind === 'probe') await recordProbe(this.#tx, this.#job, executor.probe, outcome.result);
      const unlike = executor.kind === 'probe' ? unlikeExpected(outcome.result) : undefined;
      if (unlike) return this.#failed(row, runbook, unlike);
      this.#put(await finishStep(this.#tx, this.#job, row, outcome.result));
      return undefined;
    }
    if (outcome.kind === 'cancelled') {
      // Its worker stops, or has lost it: whoever has it next tries again with the same key.
      if (!this.#job.cancelRequested || row.phase === 'compensating') return over(outcome);
      this.#put(await failStep(this.#tx, this.#job, row, 'cancelled'));
      return undefined;
    }
    if (outcome.kind === 'fail' && outcome.stage === 'report') {
      const but = { but: outcome.reason };
      this.#put(await finishStep(this.#tx, this.#job, row, outcome.result ?? {}, but));
      return undefined;
    }
    return this.#failed(row, runbook, outcome);
  }

  async #failed(row: JobStepRow, runbook: Runbook, failure: Failure): Promise<Turn | undefined> {
    const { startedAt, attempt } = row;
    const asJob = { ...this.#job, startedAt, attempt, maxAttempts: runbook.tries.max };
    const verdict = judge(asJob, runbook, failure, this.#tx.now, this.#deps.random);
    const met = verdict.again ? this.#boundMet(row, verdict.wait) : undefined;
    if (!verdict.again || met !== undefined) {
      const by = verdict.again ? null : verdict.stoppedBy;
      const named = by === null || failure.reason.includes(by) ? '' : ` (stopped by ${by})`;
      const why = [`${failure.reason}${named}`, met].filter(Boolean).join('; ');
      this.#put(await failStep(this.#tx, this.#job, row, why));
      return undefined;
    }
    await pauseStep(this.#tx, this.#job, row, failure.reason, verdict);
    // No worker is held meanwhile. It is the job's same try that goes on then.
    await requeue(this.#tx, this.#job, failure, verdict.wait, { attempt: this.#job.attempt - 1 });
    return over({ kind: 'wait' });
  }

  async next(): Promise<Turn> {
    for (;;) {
      await this.#closeStopped();
      if (this.#job.phase === 'forward' && (this.#job.cancelRequested || brokenBy(this.#rows))) {
        // The worker was told to stop, so whoever undoes it claims it anew.
        if (this.#job.cancelRequested) return over({ kind: 'cancelled' });
        await this.#turnBack();
      }
      const move = nextMove(this.#steps, this.#rows, this.#job.phase);
      if (move.kind === 'end') return over(this.#end());
      const turn = await this.#make(move);
      if (turn) return turn;
    }
  }

  /** The whole was stopped: the step that it stopped at is what failed, also where it had not begun, unless by a cancel. */
  async #closeStopped(): Promise<void> {
    if (this.#job.phase === 'forward' || brokenBy(this.#rows)) return;
    const move = nextMove(this.#steps, this.#rows, 'forward');
    if (move.kind === 'end' || move.kind === 'skip') return;
    const { position, name, row } = move;
    if (this.#job.cancelRequested && !row?.attempt) return;
    await this.#refuse({ position, name, phase: 'forward' }, row, this.#job.error ?? 'stopped');
  }

  async #turnBack(): Promise<void> {
    const reason = this.#reason();
    await this.#change({ phase: 'compensating', error: reason });
    await emit(this.#tx, this.#job, 'job.compensating', { reason });
  }

  /** Undefined when the move is made already, and another follows. */
  async #make(move: Exclude<Move, { kind: 'end' }>): Promise<Turn | undefined> {
    const place = { position: move.position, name: move.name, phase: this.#job.phase };
    if (move.kind === 'skip') {
      this.#put(await closeUnopened(this.#tx, this.#job, place, 'skipped', null));
      return undefined;
    }
    const ready = this.#ready(move);
    if (typeof ready === 'string') return this.#refuse(place, move.row, ready);
    if (!this.#job.plan) await this.#change({ plan: this.#runbook });
    const state = ready === undefined ? 'waiting' : 'running';
    const left = this.#job.phase === 'forward' ? this.#timeLeft() : undefined;
    const row = await openStep(this.#tx, this.#job, place, move.row, state);
    if (ready) return { kind: 'try', row, ...ready, total: this.#steps.length, left };
    this.#put(row);
    return move.kind === 'wait' ? this.#wait(row, move.wait) : undefined;
  }

  async #refuse(place: Place, row: JobStepRow | undefined, why: string): Promise<undefined> {
    this.#put(
      row
        ? await failStep(this.#tx, this.#job, row, why)
        : await closeUnopened(this.#tx, this.#job, place, 'failed', why),
    );
  }

  async #wait(row: JobStepRow, wait: StepWait): Promise<Turn | undefined> {
    try {
      const outputs = outputsOf(this.#rows);
      const { ask } = this.#deps;
      const waits = await this.#tx.attempt(() => beginWait(this.#tx, this.#job, row, wait, outputs, ask));
      return over({ kind: 'wait', said: `${row.name}: waits${waits}` });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#put(await failStep(this.#tx, this.#job, row, error.message));
      return undefined;
    }
  }

  /** What a call runs with, undefined for a wait; as text: why the move cannot be made. */
  #ready(
    move: Exclude<Move, { kind: 'end' | 'skip' }>,
  ): Pick<StepTry, 'runbook' | 'args'> | string | undefined {
    const { row } = move;
    const met = this.#boundMet(row, 0, move.kind);
    if (met !== undefined) return met;
    if (move.kind === 'wait') return row?.attempt ? 'its wait was cut short' : undefined;
    const { runbook, args } = move.call;
    if (row && row.attempt >= runbook.tries.max)
      return 'the worker that ran it was lost (stopped by tries.max)';
    try {
      const filled = fillArgs(args, { args: this.#job.args, steps: outputsOf(this.#rows) });
      return { runbook, args: runbookArgs(runbook, filled) };
    } catch (error) {
      if (error instanceof Refusal) return error.message;
      throw error;
    }
  }

  /** The bound of the whole that a step met which would be tried in so many milliseconds. What undoes steps meets none. */
  #boundMet(row: JobStepRow | undefined, wait: number, kind = 'call'): string | undefined {
    if (this.#job.phase === 'compensating') return undefined;
    const { bounds, tries } = this.#runbook;
    if (triesOf(this.#rows) >= bounds.steps) return `more than ${bounds.steps} tries of steps (bounds.steps)`;
    // A wait has a time of its own.
    if (kind === 'wait') return undefined;
    if (this.#timeLeft() <= wait) return tooLong(this.#runbook);
    if (!row?.attempt || tries.budget === undefined) return undefined;
    const within = since(this.#job.startedAt, this.#tx.now) + wait <= tries.budget;
    return within ? undefined : `no further try after ${tries.budget} ms (tries.budget)`;
  }

  /** Milliseconds until the time-out of the steps since the last wait. */
  #timeLeft(): number {
    const began = begunAt(this.#steps, this.#rows);
    return this.#runbook.timeout - since(began ?? null, this.#tx.now);
  }

  /** How the job ends once there is no move left. */
  #end(): Outcome {
    const result = { steps: summaryOf(this.#steps, this.#rows) as unknown as Json };
    if (this.#job.phase === 'forward') {
      const last = this.#steps.findLastIndex((step) => !('wait' in step));
      const output = this.#rows.find(({ position }) => position === last)?.output ?? null;
      return { kind: 'done', result: { ...result, output } };
    }
    return { kind: 'fail', stage: 'run', reason: this.#reason(), result };
  }

  /** Why what was done is undone. */
  #reason(): string {
    if (this.#job.cancelRequested) return 'cancelled';
    const broken = brokenBy(this.#rows);
    return broken ? `${broken.name}: ${broken.error}` : (this.#job.error ?? 'stopped');
  }

  async #change(patch: Patch<typeof jobs>): Promise<void> {
    this.#job = await this.#tx.update(jobs, this.#job, patch);
  }

  #put(row: JobStepRow): void {
    this.#rows = [...this.#rows.filter(({ id }) => id !== row.id), row];
  }
}
