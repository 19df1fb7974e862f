import { jobs, type JobRow } from '../../domain/job.ts';
import type { Patch } from '../../domain/table.ts';
import type { Tx } from '../store.ts';

/** Makes a job `queued`, not before its `runAt` or the patch's, and hands it to the engine. */
export async function queueJob(tx: Tx, row: JobRow, patch: Patch<typeof jobs>): Promise<JobRow> {
  const ticket = await tx.queue.put({ ...row, ...patch });
  return tx.update(jobs, row, { ...patch, state: 'queued', queuedAt: tx.now, ticket });
}
