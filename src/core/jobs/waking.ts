import { isOpen } from '../../domain/breaker.ts';
import { jobs } from '../../domain/job.ts';
import type { Tx } from '../store.ts';
import { queueJob } from './queueing.ts';

/** As many as one transaction changes; those beyond go on at their own time. */
const MOST = 500;

/** Jobs that the open breaker of this destination holds off go on now instead of at their time. */
export async function wakeHeldOff(tx: Tx, destination: string): Promise<void> {
  const where = {
    state: 'queued',
    runAt: { above: tx.now },
    error: { prefix: isOpen(destination) },
  } as const;
  for (const row of await tx.find(jobs, { where, limit: MOST })) {
    await tx.queue.withdraw(row);
    await queueJob(tx, row, { runAt: tx.now });
  }
}
