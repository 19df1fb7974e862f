import type { JobRow } from '../../domain/job.ts';
import type { Tx } from '../store.ts';
import { held } from './claiming.ts';
import { end } from './ending.ts';
import { requeue } from './retrying.ts';

const STOPPED = { failure: 'lost', reason: 'its worker was stopped before it began' } as const;

/** Gives back what was claimed ahead and never begun: that was no try. Returns false when the claim was lost. */
export async function release(tx: Tx, claimed: JobRow): Promise<boolean> {
  const row = await held(tx, claimed);
  if (!row) return false;
  if (row.cancelRequested && row.phase === 'forward') await end(tx, row, { kind: 'cancelled' });
  else await requeue(tx, row, STOPPED, 0, { attempt: row.attempt - 1 });
  return true;
}
