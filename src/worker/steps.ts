import { advance, type StepsDeps, type StepTry, type Tried, type Turn } from '../core/jobs/steps.ts';
import type { Store } from '../core/store.ts';
import { SECOND } from '../domain/clock.ts';
import type { Effect, Receipt } from '../domain/effect.ts';
import type { JobRow, Outcome } from '../domain/job.ts';
import type { Runbook } from '../domain/runbook.ts';
import type { Execution } from './executors/execution.ts';
import { isUnfit, unkept } from './unkept.ts';

/** A job of steps under one claim. */
export interface StepsRun extends StepsDeps, Pick<Execution, 'signal' | 'log' | 'progress' | 'cause'> {
  readonly store: Store;
  readonly workspace: string;
  readonly job: JobRow;
  /** The job's plan, or before its first step the runbook as the configuration has it. */
  readonly runbook: Runbook;
  readonly execute: (execution: Execution) => Promise<Outcome>;
  /** What was done outside and is not written down yet. */
  readonly receipts: Receipt[];
}

/** How long a step that has ended tries to be written down while the database is away, in milliseconds. */
const LONGEST = 20 * SECOND;

/**
 * Makes one step after the other, each try between two transactions, until the job is over, waits, or is no longer to
 * be run here. `timeout` bounds the steps of this turn together; what undoes them has only the bounds of its own.
 */
export async function runSteps(run: StepsRun): Promise<Outcome> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), run.runbook.timeout);
  try {
    for (let tried: Tried | undefined; ; ) {
      const turn = await write(run, tried);
      if (turn.kind === 'over') return turn.outcome;
      tried = await attempt(run, turn, late.signal);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The effect has happened: writing it down is tried for as long as the claim is likely to hold. */
async function write(run: StepsRun, ended: Tried | undefined): Promise<Turn> {
  const { store, workspace, job, runbook, receipts } = run;
  let tried = ended;
  for (let wait = SECOND / 10; ; wait *= 2) {
    try {
      const turn = await store.transaction(workspace, (tx) => advance(tx, job, runbook, tried, run));
      receipts.length = 0;
      return turn;
    } catch (error) {
      if (tried && tried === ended && isUnfit(error)) tried = { ...tried, outcome: unkept(error) };
      else if (!tried || wait > LONGEST / 2 || isGone(run.signal)) throw error;
      else await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** Stopping, or somebody else's by now: whoever has it next tries again with the same key. */
const isGone = ({ aborted, reason }: AbortSignal): boolean => aborted && reason !== 'cancelled';

async function attempt(run: StepsRun, step: StepTry, late: AbortSignal): Promise<Tried> {
  const { row, runbook, args, total } = step;
  const { receipts, signal, cause } = run;
  const what = row.phase === 'forward' ? row.name : `undoing ${row.name}`;
  const percent = Math.floor((100 * row.position) / total);
  run.log('info', `${what}: ${runbook.name}, try ${row.attempt} of ${runbook.tries.max}`);
  run.progress({ percent, text: what });
  const outcome = await run.execute({
    args,
    runbook,
    attempt: row.attempt,
    idempotencyKey: row.key,
    cause,
    signal: row.phase === 'forward' ? AbortSignal.any([signal, late]) : signal,
    log: run.log,
    progress: ({ text }) => run.progress({ percent, text: text === undefined ? what : `${what}: ${text}` }),
    effect: (effect: Effect) => receipts.push({ ...effect, step: row.name, key: row.key }),
  });
  const timedOut = outcome.kind === 'cancelled' && late.aborted && !signal.aborted;
  return { ...step, receipts: [...receipts], outcome: timedOut ? tooLate(run.runbook) : outcome };
}

const tooLate = ({ name, timeout }: Runbook): Outcome => ({
  kind: 'fail',
  stage: 'run',
  failure: 'timeout',
  reason: `${name} was stopped after ${timeout} ms (timeout)`,
});
