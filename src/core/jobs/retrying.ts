import { DAY } from '../../domain/clock.ts';
import type { JobRow, jobs, Outcome } from '../../domain/job.ts';
import { redactText } from '../../domain/redact.ts';
import type { Runbook, Tries } from '../../domain/runbook.ts';
import type { Patch } from '../../domain/table.ts';
import type { Tx } from '../store.ts';
import { emit, since } from './journalling.ts';
import { queueJob } from './queueing.ts';
import { tellPause } from './telling.ts';

/** What a far side may ask to wait before the next try. */
const LONGEST_WAIT = DAY;

/** A try that did not work. */
export type Failure = Extract<Outcome, { kind: 'retry' | 'fail' }>;

/**
 * Another try after so many milliseconds, with what the tries so far come to, or none; with the bound that was met, where
 * it was one.
 */
export type Verdict =
  | { readonly again: true; readonly wait: number; readonly attempt: number }
  | { readonly again: false; readonly stoppedBy: string | null };

/** How long to wait before the next try: exponential with full jitter, in milliseconds. */
export function backoff(
  { backoff: first, cap }: Pick<Tries, 'backoff' | 'cap'>,
  attempt: number,
  random: () => number,
): number {
  return Math.round(random() * Math.min(cap, first * 2 ** (attempt - 1)));
}

/**
 * Whether there is another try: by the runbook's answer to this class of failure, or else as the executor says, while
 * tries and their budget last. A longer wait that the far side asked for is kept to, or the job is given up. What was
 * held off was no try: the budget alone bounds for how long it is.
 */
export function judge(
  row: JobRow,
  runbook: Pick<Runbook, 'tries'> | undefined,
  failure: Failure,
  now: Date,
  random: () => number,
): Verdict {
  const bound = failure.bound ?? null;
  if (!runbook || !isPassing(runbook.tries, failure)) return { again: false, stoppedBy: bound };
  // What is being undone is undone to the end.
  if (row.cancelRequested && row.phase === 'forward') return { again: false, stoppedBy: bound };
  const attempt = isHeldOff(failure) ? row.attempt - 1 : row.attempt;
  if (attempt >= row.maxAttempts) return { again: false, stoppedBy: 'tries.max' };
  const wait = waitOf(row, runbook.tries, failure, random);
  const { budget = Number.POSITIVE_INFINITY } = runbook.tries;
  if (since(row.startedAt ?? now, now) + wait > budget) return { again: false, stoppedBy: 'tries.budget' };
  return { again: true, wait, attempt };
}

const isHeldOff = (failure: Failure): boolean => failure.kind === 'retry' && failure.heldOff === true;

function isPassing(tries: Tries, outcome: Failure): boolean {
  // What could not even start, or could not be undone, is no failure of a class.
  const staged = outcome.kind === 'fail' && outcome.stage !== undefined;
  const answer = outcome.failure === undefined || staged ? undefined : tries.on[outcome.failure];
  return (answer ?? outcome.kind) === 'retry';
}

function waitOf(row: JobRow, tries: Tries, outcome: Failure, random: () => number): number {
  // Nobody was refused: its worker was lost, and the time of the lease is over already.
  if (outcome.failure === 'lost') return 0;
  // Tries before somebody asked for it again are not counted.
  const tried = Math.max(1, row.attempt - Math.max(0, row.maxAttempts - tries.max));
  const pause = backoff(tries, tried, random);
  const asked = outcome.kind === 'retry' ? outcome.after : undefined;
  if (asked === undefined) return pause;
  const wait = Math.min(asked, LONGEST_WAIT);
  // Those that are held off together do not come back together; nobody else is asked to come back sooner.
  return isHeldOff(outcome) ? wait + pause : Math.max(wait, pause);
}

/** Ends the claim and puts the job back into the queue for its next try. */
export async function requeue(
  tx: Tx,
  row: JobRow,
  why: Pick<Failure, 'reason' | 'failure'>,
  wait: number,
  patch: Patch<typeof jobs> = {},
): Promise<JobRow> {
  const { attempt } = row;
  const reason = redactText(why.reason);
  const failure = why.failure ?? null;
  const runAt = new Date(tx.now.getTime() + wait);
  await tx.queue.complete(row);
  const queued = await queueJob(tx, row, {
    runAt,
    leaseUntil: null,
    leaseOwner: null,
    error: reason,
    failure,
    ...patch,
  });
  const ran = row.state === 'running' && { ran: since(row.runningAt, tx.now) };
  // What was never begun, and what is to be undone now, is no try that is made again.
  const again = row.state === 'running' && queued.phase === row.phase;
  const due = { wait, runAt: runAt.toISOString() };
  await emit(tx, queued, 'job.retrying', { attempt, reason, failure, again, ...due, ...ran });
  await tellPause(tx, queued);
  return queued;
}
