import { SECOND } from '../../domain/clock.ts';
import { type JobRow, jobs } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { ReadTx, Tx } from '../store.ts';
import { LEASE } from './claiming.ts';
import { fail } from './finishing.ts';
import { emit } from './journalling.ts';
import { queueJob } from './queueing.ts';

export interface Recovery {
  /** As the configuration has it now. */
  readonly runbookOf: (name: string) => Runbook | undefined;
  readonly random: () => number;
  /** Milliseconds; the longest that any worker claims for. */
  readonly lease?: number;
  /** Milliseconds; `GRACE` unless told. */
  readonly grace?: number;
}

/**
 * Milliseconds that a worker has to come back for a claim that was found to be over. One that lives looks after its
 * claims each second: it was away from the database, or the clock was put forward.
 */
const GRACE = 2 * SECOND;
/** Jobs at most that one look takes back. */
const AT_ONCE = 100;
/** Jobs at most that are put right when the clock was set back. */
const MOST = 10_000;
const LOST = { kind: 'retry', failure: 'lost', reason: 'the worker that ran it was lost' } as const;

/** Claims that ran out, and those that end later than any can: the clock went back. */
async function overdue(tx: ReadTx, lease: number): Promise<{ over: JobRow[]; ahead: JobRow[] }> {
  // Only what is claimed has a lease.
  const furthest = later(tx, Math.max(lease, LEASE));
  const [over, ahead] = await Promise.all([
    tx.find(jobs, { where: { leaseUntil: { below: tx.now } }, limit: AT_ONCE }),
    tx.find(jobs, { where: { leaseUntil: { above: furthest } }, limit: AT_ONCE }),
  ]);
  return { over, ahead };
}

/** Whether `recover` would find anything. */
export async function needRecovery(tx: ReadTx, lease = LEASE): Promise<boolean> {
  const { over, ahead } = await overdue(tx, lease);
  return over.length + ahead.length > 0;
}

/**
 * Jobs whose worker is gone: back to the queue, or failed when no try is left. It is gone once its claim was over, and
 * it did not renew it in the time of grace that it was given then. A claim that a clock set back made too long counts
 * from now: its worker, if it lives, renews it in time. Returns how many claims it changed: where it did, there may be more.
 */
export async function recover(
  tx: Tx,
  { runbookOf, random, lease = LEASE, grace = GRACE }: Recovery,
): Promise<number> {
  const { over, ahead } = await overdue(tx, lease);
  for (const row of ahead)
    await tx.update(jobs, row, { leaseUntil: later(tx, Math.max(lease, LEASE)), graceUntil: null });
  for (const row of over) {
    if (grace > 0 && row.graceUntil?.getTime() !== row.leaseUntil?.getTime()) {
      const until = later(tx, grace);
      await tx.update(jobs, row, { leaseUntil: until, graceUntil: until });
    } else await fail(tx, row, LOST, { runbook: runbookOf(row.runbook), random });
  }
  return over.length + ahead.length;
}

/**
 * For when the clock was set back: what waits for so long, and not for a time that somebody named, waits for no longer
 * than that.
 */
export async function putRight(tx: Tx): Promise<void> {
  const ahead = { above: tx.now };
  for (const row of await tx.find(jobs, { where: { state: 'queued', queuedAt: ahead }, limit: MOST })) {
    const wait = Math.max(0, spent(row.queuedAt, row.runAt));
    // One that has not run is queued until the time that was asked for.
    if (wait > 0 && row.startedAt === null) continue;
    await tx.queue.withdraw(row);
    const queued = await queueJob(tx, row, { runAt: later(tx, wait) });
    await emit(tx, queued, 'job.put_right', { runAt: queued.runAt.toISOString() });
  }
  for (const row of await tx.find(jobs, { where: { state: 'waiting', waitingAt: ahead }, limit: MOST })) {
    const kind = row.waitFor?.kind;
    if (kind !== 'time' && kind !== 'event') continue;
    const waitUntil = later(tx, spent(row.waitingAt, row.waitUntil));
    await tx.update(jobs, row, { waitUntil, waitingAt: tx.now });
    await emit(tx, row, 'job.put_right', { until: waitUntil.toISOString() });
  }
}

const later = (tx: ReadTx, milliseconds: number): Date => new Date(tx.now.getTime() + milliseconds);
const spent = (from: Date | null, to: Date | null): number => (to?.getTime() ?? 0) - (from?.getTime() ?? 0);
