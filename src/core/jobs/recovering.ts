import { type JobRow, jobs } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { ReadTx, Tx } from '../store.ts';
import { LEASE } from './claiming.ts';
import { fail } from './finishing.ts';

export interface Recovery {
  /** As the configuration has it now. */
  readonly runbookOf: (name: string) => Runbook | undefined;
  readonly random: () => number;
  /** Milliseconds; the longest that any worker claims for. */
  readonly lease?: number;
}

/** Jobs at most that one look takes back. */
const AT_ONCE = 100;
const LOST = { kind: 'retry', failure: 'lost', reason: 'the worker that ran it was lost' } as const;

/** Claims that ran out, and those that end later than any can: the clock went back. */
async function overdue(tx: ReadTx, lease: number): Promise<{ lost: JobRow[]; ahead: JobRow[] }> {
  // Only what is claimed has a lease.
  const furthest = new Date(tx.now.getTime() + Math.max(lease, LEASE));
  const [lost, ahead] = await Promise.all([
    tx.find(jobs, { where: { leaseUntil: { below: tx.now } }, limit: AT_ONCE }),
    tx.find(jobs, { where: { leaseUntil: { above: furthest } }, limit: AT_ONCE }),
  ]);
  return { lost, ahead };
}

/** Whether `recover` would find anything. */
export async function needRecovery(tx: ReadTx, lease = LEASE): Promise<boolean> {
  const { lost, ahead } = await overdue(tx, lease);
  return lost.length + ahead.length > 0;
}

/**
 * Jobs whose worker is gone: back to the queue, or failed when no try is left. A claim that a clock set back made too
 * long counts from now: its worker, if it lives, renews it in time. Returns how many were lost.
 */
export async function recover(tx: Tx, { runbookOf, random, lease = LEASE }: Recovery): Promise<number> {
  const { lost, ahead } = await overdue(tx, lease);
  for (const row of ahead)
    await tx.update(jobs, row, { leaseUntil: new Date(tx.now.getTime() + Math.max(lease, LEASE)) });
  for (const row of lost) await fail(tx, row, LOST, { runbook: runbookOf(row.runbook), random });
  return lost.length;
}
