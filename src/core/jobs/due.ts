import { jobs } from '../../domain/job.ts';
import type { ReadTx } from '../store.ts';

/** Every priority there is, so that the search seeks each and walks over no job of a later day. */
const PRIORITIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** Whether a job is due that somebody with these capabilities could run. */
export async function isDue(tx: ReadTx, capabilities: readonly string[]): Promise<boolean> {
  const where = {
    state: 'queued',
    priority: { in: PRIORITIES },
    runAt: { atMost: tx.now },
    capability: { in: capabilities },
  } as const;
  return (await tx.find(jobs, { where, limit: 1 })).length > 0;
}
