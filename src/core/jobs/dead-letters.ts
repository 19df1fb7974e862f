import { jobs, type JobRow, type Stage } from '../../domain/job.ts';
import { deadLetters } from '../../domain/records.ts';
import { redactText } from '../../domain/redact.ts';
import type { Tx } from '../store.ts';
import { emit } from './journalling.ts';
import { reportedJob } from './report-keys.ts';

/** Keeps a job that came to an end without success, or a report that did not arrive, until somebody redrives it. */
export async function bury(
  tx: Tx,
  row: JobRow,
  stage: Stage,
  why: string,
  message: string | null = null,
): Promise<void> {
  const reason = redactText(why);
  await tx.insert(deadLetters, {
    id: tx.id(),
    job: row.ref,
    runbook: row.runbook,
    stage,
    reason,
    message,
    at: tx.now,
    redrivenAt: null,
    redrivenBy: null,
  });
  await emit(tx, row, 'job.dead', { stage, reason });
}

/** Buries a report of a job's end that was given up. What a job came to on the way may be lost. */
export async function buryReport(tx: Tx, key: string, reason: string): Promise<void> {
  const ref = reportedJob(key);
  const row = ref === undefined ? undefined : await tx.get(jobs, { ref });
  if (row) await bury(tx, row, 'report', reason, key);
}
