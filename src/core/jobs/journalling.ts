import type { JobRow } from '../../domain/job.ts';
import type { JournalEntry } from '../../domain/journal.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Tx } from '../store.ts';

/** What happens to a job by itself, under the correlation id that it was asked with. */
export async function emit(tx: Tx, row: JobRow, event: string, details: JsonObject): Promise<JournalEntry> {
  const { ref: target, correlationId, cause, runbook } = row;
  return tx.append({
    event,
    actor: 'system',
    target,
    correlationId,
    cause,
    details: { runbook, ...details },
  });
}

/** Milliseconds since; 0 where it never was. */
export const since = (then: Date | null, now: Date): number =>
  then === null ? 0 : Math.max(0, now.getTime() - then.getTime());
