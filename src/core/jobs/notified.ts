import type { Effect } from '../../domain/effect.ts';
import { jobs } from '../../domain/job.ts';
import type { Tx } from '../store.ts';
import { reportedJob } from './dead-letters.ts';
import { writeReceipts } from './receipts.ts';

/** Keeps the receipt of a posted end with its job; `key` is the outgoing message's, `webhookId` what it went out under. */
export async function keepNotified(tx: Tx, key: string, webhookId: string, effect: Effect): Promise<void> {
  const ref = reportedJob(key);
  const row = ref === undefined ? undefined : await tx.get(jobs, { ref });
  if (row) await writeReceipts(tx, row, [{ ...effect, step: null, key: webhookId }]);
}
