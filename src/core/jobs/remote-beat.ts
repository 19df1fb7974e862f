import { overBound, overTime } from '../../domain/bounds.ts';
import type { Catalog } from '../../domain/catalog.ts';
import { claims, type ClaimRow } from '../../domain/claim.ts';
import { SECOND } from '../../domain/clock.ts';
import { jobs, type JobRow, type Progress } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { ReadTx, Tx } from '../store.ts';
import { LEASE } from './claiming.ts';
import type { Failure } from './retrying.ts';
import { addLines, type Line } from './log.ts';
import { noteProgress } from './progress.ts';
import { claimOf, endClaim, findClaim, lost, receiptOf, type Claim } from './remote-claim.ts';
import { tellNews } from './telling.ts';

/** What a worker has to tell of a job that it runs. */
export interface News {
  readonly progress: Progress | undefined;
  readonly lines: readonly Omit<Line, 'at'>[];
}

/** How a claim stands after a heartbeat; `stop`: why its worker has to stop at once. */
export interface Standing {
  readonly row: JobRow;
  readonly stop: string | null;
}

/** Progress is a line of the log this often at most, in milliseconds; the job itself always shows the newest. */
const LINE_EVERY = SECOND;

/**
 * Keeps a claim for another lease, with what there is to tell, or ends it where a bound is met: its worker cannot be
 * trusted to keep to them. One that is to stop is not kept, so a worker that does not obey loses it.
 * @throws Refusal `conflict` where the claim is lost.
 */
export async function beat(
  tx: Tx,
  which: Claim,
  runbookOf: (name: string) => Runbook | undefined,
  { progress, lines }: News,
): Promise<Standing> {
  const { row, record, holds } = await findClaim(tx, which);
  if (!holds) throw lost(row);
  const bytes = lines.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, record.bytes);
  const logged = { lines: record.lines + lines.length, bytes };
  const runbook = runbookOf(row.runbook);
  const met = stopOf(tx, row, runbook, logged);
  if (met) {
    const { stop, outcome } = met;
    const receipt = receiptOf(tx, which.worker, row, record.startedAt, stop, null);
    return { row: await endClaim(tx, row, runbook, outcome, [receipt]), stop };
  }
  await addLines(
    tx,
    row.ref,
    lines.map((each) => ({ ...each, at: tx.now })),
  );
  const isLine = progress !== undefined && isLineDue(record, tx.now);
  const noted = progress ? await noteProgress(tx, row, progress, isLine) : row;
  if (lines.length > 0 || isLine)
    await tx.update(claims, record, { ...logged, ...(isLine && { progressAt: tx.now }) });
  await tellNews(tx, noted);
  return { row: await keep(tx, noted), stop: row.cancelRequested ? 'cancelled' : null };
}

/** Why a claim ends with this heartbeat, and how. */
function stopOf(
  tx: Tx,
  row: JobRow,
  runbook: Runbook | undefined,
  logged: Pick<ClaimRow, 'lines' | 'bytes'>,
): { readonly stop: string; readonly outcome: Failure | { readonly kind: 'cancelled' } } | undefined {
  if (row.cancelRequested && row.leaseUntil && row.leaseUntil <= tx.now)
    return { stop: 'cancelled', outcome: { kind: 'cancelled' } };
  const over = runbook && (lateAt(tx, row, runbook) ?? overLog(runbook, logged));
  return over && { stop: over.bound, outcome: over };
}

/** How a try ends that has taken too long by now. */
export const lateAt = (tx: Tx, { runningAt }: JobRow, runbook: Runbook) =>
  runningAt && tx.now.getTime() - runningAt.getTime() >= runbook.timeout ? overTime(runbook) : undefined;

function overLog(runbook: Runbook, { lines, bytes }: Pick<ClaimRow, 'lines' | 'bytes'>) {
  if (lines > runbook.bounds.logLines) return overBound('bounds.logLines', runbook);
  return bytes > runbook.bounds.outputBytes ? overBound('bounds.outputBytes', runbook) : undefined;
}

const isLineDue = ({ progressAt }: ClaimRow, now: Date): boolean =>
  progressAt === null || Math.abs(now.getTime() - progressAt.getTime()) >= LINE_EVERY;

/** Whoever does not obey a cancel has what is left of the lease. */
async function keep(tx: Tx, row: JobRow): Promise<JobRow> {
  if (row.cancelRequested) return row;
  const kept = await tx.update(jobs, row, { leaseUntil: new Date(tx.now.getTime() + LEASE) });
  await tx.queue.touch([kept]);
  return kept;
}

/** The instant from which a heartbeat may say stop; undefined: none is known. */
export async function stopDue(
  tx: ReadTx,
  { runbooks }: Pick<Catalog, 'runbooks'>,
  ref: string,
  claim: string,
): Promise<Date | undefined> {
  const row = await tx.get(jobs, { ref });
  if (row?.state !== 'running' || claimOf(row) !== claim || row.cancelRequested) return tx.now;
  const { timeout } = runbooks.get(row.runbook) ?? {};
  return timeout === undefined || !row.runningAt ? undefined : new Date(row.runningAt.getTime() + timeout);
}
