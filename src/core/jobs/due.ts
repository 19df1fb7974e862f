import { jobs } from '../../domain/job.ts';
import type { ReadTx } from '../store.ts';

/** Every priority there is, so that the search seeks each and walks over no job of a later day. */
const PRIORITIES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** Whether a job is due that somebody with these capabilities, who knows these runbooks, could run. */
export async function isDue(
  tx: ReadTx,
  capabilities: readonly string[],
  runbooks: readonly string[],
): Promise<boolean> {
  const due = {
    state: 'queued',
    priority: { in: PRIORITIES },
    runAt: { atMost: tx.now },
    capability: { in: capabilities },
  } as const;
  const [known, planned] = await Promise.all([
    tx.find(jobs, { where: { ...due, runbook: { in: runbooks } }, limit: 1 }),
    tx.find(jobs, { where: { ...due, plan: { not: null } }, limit: 1 }),
  ]);
  return known.length + planned.length > 0;
}
