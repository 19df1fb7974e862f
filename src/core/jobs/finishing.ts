import type { Receipt } from '../../domain/effect.ts';
import type { JobRow, Usage } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import { withArtifacts } from '../artifacts.ts';
import type { Tx } from '../store.ts';
import { countUsage } from '../usage.ts';
import { held } from './claiming.ts';
import { haveReceipts, writeReceipts } from './receipts.ts';
import { end, type Final } from './ending.ts';
import { recordProbe } from './probe-sample.ts';
import { leftToUndo } from './retaking.ts';
import { judge, requeue, type Failure } from './retrying.ts';

/** How a try ended, and what is needed to write it down. */
export interface Ending {
  readonly outcome: Final;
  /** As the configuration has it now; undefined where it no longer does. */
  readonly runbook: Runbook | undefined;
  /** What was done outside; kept whatever became of the claim. */
  readonly receipts: readonly Receipt[];
  readonly random: () => number;
  /** It was tried before, and may have taken place without an answer. */
  readonly again?: boolean;
  /** The job as this transaction has just read it; it is read again unless told. */
  readonly row?: JobRow;
}

/** Writes how a try ended. Returns false when the claim was lost: then nothing is written but the receipts. */
export async function finish(tx: Tx, claimed: JobRow, ending: Ending): Promise<boolean> {
  if (ending.again && (await haveReceipts(tx, claimed, ending.receipts))) return true;
  await writeReceipts(tx, claimed, ending.receipts);
  await countUsage(tx, claimed, ending.outcome.usage);
  // What a try used is added to the row.
  const row = await held(tx, claimed, ending.outcome.usage ? undefined : ending.row);
  if (!row) return false;
  const { runbook } = ending;
  const outcome = await withArtifacts(tx, row, ending.outcome);
  if (outcome.kind === 'retry' || outcome.kind === 'fail') await fail(tx, row, outcome, ending);
  else await conclude(tx, row, outcome);
  if (runbook?.executor.kind === 'probe' && outcome.kind === 'done')
    await recordProbe(tx, row, runbook.executor.probe, outcome.result);
  return true;
}

/** Another try where there is one; else the end, after what its steps did is undone. */
export async function fail(
  tx: Tx,
  row: JobRow,
  outcome: Failure,
  { runbook, random }: Pick<Ending, 'runbook' | 'random'>,
): Promise<void> {
  // Each step bounds its own tries, so a lost worker takes none of the whole.
  const hasSteps = row.plan !== null || runbook?.executor.kind === 'steps';
  if (hasSteps && outcome.failure === 'lost') return putBack(tx, row, outcome);
  const verdict = judge(row, runbook, outcome, tx.now, random);
  if (verdict.again) await requeue(tx, row, outcome, verdict.wait, { attempt: verdict.attempt });
  else await conclude(tx, row, outcome, verdict.stoppedBy);
}

/** The end, where nothing that its steps did is left to undo: that is undone first, or said and kept as a dead letter. */
async function conclude(tx: Tx, row: JobRow, outcome: Final, stoppedBy: string | null = null): Promise<void> {
  const why = 'reason' in outcome ? outcome : { reason: row.error ?? 'cancelled' };
  // Back to the queue, for a worker to undo what was done, with tries of its own.
  if (row.plan && row.phase === 'forward' && outcome.kind !== 'done')
    return void (await requeue(tx, row, why, 0, {
      phase: 'compensating',
      maxAttempts: row.attempt + row.plan.tries.max,
    }));
  const left = row.phase === 'compensating' ? await leftToUndo(tx, row) : [];
  if (left.length === 0) return void (await end(tx, row, outcome, stoppedBy));
  const names = left.map(({ step, undo }) => `${step.name}${undo?.error ? ` (${undo.error})` : ''}`);
  const reason = `${why.reason}; not undone: ${names.join(', ')}`;
  await end(tx, row, { ...why, kind: 'fail', stage: 'compensate', reason }, stoppedBy);
}

/** Back to the queue as if it had not been claimed. */
const putBack = async (tx: Tx, row: JobRow, why: Pick<Failure, 'reason' | 'failure'>): Promise<void> =>
  void (await requeue(tx, row, why, 0, { attempt: row.attempt - 1 }));

const STOPPED = { kind: 'retry', failure: 'lost', reason: 'its worker was stopped while it ran' } as const;

/**
 * Gives a claim back when its worker stops. What has begun may have had effects, so the try counts: the job goes on
 * where tries are left and fails where none is. Returns false when the claim was lost.
 */
export const giveBack = (
  tx: Tx,
  claimed: JobRow,
  ending: Omit<Ending, 'outcome'>,
  usage?: Usage,
): Promise<boolean> => finish(tx, claimed, { ...ending, outcome: { ...STOPPED, ...(usage && { usage }) } });

const NOT_BEGUN = { failure: 'lost', reason: 'its worker was stopped before it began' } as const;

/**
 * Gives back what was claimed ahead and never begun: that was no try. One that is to be cancelled is. Returns false when
 * the claim was lost.
 */
export async function release(tx: Tx, claimed: JobRow): Promise<boolean> {
  const row = await held(tx, claimed);
  if (!row) return false;
  if (row.cancelRequested && row.phase === 'forward') await conclude(tx, row, { kind: 'cancelled' });
  else await putBack(tx, row, NOT_BEGUN);
  return true;
}
