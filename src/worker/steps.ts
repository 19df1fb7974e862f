import { advance, type StepsDeps } from '../core/jobs/steps.ts';
import type { StepTry, Tried, Turn } from '../core/jobs/step-tries.ts';
import type { Store } from '../core/store.ts';
import { tooLong } from '../domain/bounds.ts';
import type { Effect, Receipt } from '../domain/effect.ts';
import type { JobRow, Outcome } from '../domain/job.ts';
import type { Runbook } from '../domain/runbook.ts';
import type { Execution } from './executors/execution.ts';
import { insist, insistOn } from './insist.ts';

/** A job of steps under one claim. */
export interface StepsRun extends StepsDeps, Pick<Execution, 'signal' | 'log' | 'progress' | 'cause'> {
  readonly store: Store;
  readonly workspace: string;
  readonly job: JobRow;
  /** The job's plan, or before its first step the runbook as the configuration has it. */
  readonly runbook: Runbook;
  readonly execute: (execution: Execution) => Promise<Outcome>;
  /** Aborted, with the outcome, when the steps meet a bound of the whole. What undoes them has only bounds of its own. */
  readonly bound: AbortSignal;
  /** What was done outside and is not written down yet. */
  readonly receipts: Receipt[];
  /** Aborts when the process ends: what is not written down by then is somebody else's to do again. */
  readonly giveUp: AbortSignal;
}

/**
 * Makes one step after the other, each try between two transactions, until the job is over, waits, or is no longer to
 * be run here.
 */
export async function runSteps(run: StepsRun): Promise<Outcome> {
  for (let tried: Tried | undefined; ; ) {
    const turn = await write(run, tried);
    if (turn.kind === 'over') {
      if (turn.outcome.kind === 'wait' && turn.outcome.said) run.log('info', turn.outcome.said);
      return turn.outcome;
    }
    tried = await attempt(run, turn);
  }
}

/** Writes down how a step ended, and takes the next. */
async function write(run: StepsRun, tried: Tried | undefined): Promise<Turn> {
  const { store, workspace, job, runbook, receipts, giveUp } = run;
  /** What the last try came to, which may be what stands in the database. */
  let doubtful: Turn | undefined;
  const step = (ended?: Tried) =>
    store.transaction(workspace, async (tx) => {
      const next = await advance(tx, job, runbook, ended, { ...run, doubtful });
      doubtful = next;
      return next;
    });
  const turn = tried
    ? await insistOn(tried.outcome, (outcome) => step({ ...tried, outcome }), giveUp)
    : await insist(() => step(), giveUp);
  receipts.length = 0;
  return turn;
}

async function attempt(run: StepsRun, step: StepTry): Promise<Tried> {
  const { row, runbook, args, total, left } = step;
  const { receipts, signal, cause } = run;
  const late = new AbortController();
  const timer = left === undefined ? undefined : setTimeout(() => late.abort(), left);
  const what = row.phase === 'forward' ? row.name : `undoing ${row.name}`;
  // What is undone is no progress, and none of the progress before.
  const far = row.phase === 'forward' ? { percent: Math.floor((100 * row.position) / total) } : {};
  run.log('info', `${what}: ${runbook.name}, try ${row.attempt} of ${runbook.tries.max}`);
  run.progress({ ...far, text: what });
  const outcome = await run.execute({
    args,
    runbook,
    attempt: row.attempt,
    idempotencyKey: row.key,
    cause,
    signal: row.phase === 'forward' ? AbortSignal.any([signal, run.bound, late.signal]) : signal,
    log: run.log,
    progress: ({ text }) => run.progress({ ...far, text: text === undefined ? what : `${what}: ${text}` }),
    effect: (effect: Effect) => receipts.push({ ...effect, step: row.name, phase: row.phase, key: row.key }),
  });
  clearTimeout(timer);
  const met = outcome.kind === 'cancelled' && !signal.aborted ? boundMet(run, late.signal) : undefined;
  return { ...step, receipts: [...receipts], outcome: met ?? outcome };
}

/** How a step ends that was stopped by a bound of the whole: no policy of its own runbook lets it try again. */
function boundMet({ bound, runbook }: StepsRun, late: AbortSignal): Outcome | undefined {
  if (late.aborted) return { kind: 'fail', reason: tooLong(runbook) };
  if (!bound.aborted) return undefined;
  const { reason } = bound.reason as Extract<Outcome, { kind: 'fail' }>;
  return { kind: 'fail', reason };
}
