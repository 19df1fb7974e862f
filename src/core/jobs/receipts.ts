import type { Receipt } from '../../domain/effect.ts';
import type { JobRow } from '../../domain/job.ts';
import { digest, sha256 } from '../../domain/json.ts';
import { effects } from '../../domain/records.ts';
import { redact, redactText } from '../../domain/redact.ts';
import type { Tx } from '../store.ts';

/**
 * The `Idempotency-Key` of what a job does outside: 64 hex digits, the same on every try and every repeat of the job,
 * another one for each step and for what undoes it.
 */
export const outboundKey = (workspace: string, job: Pick<JobRow, 'id'>, ...step: readonly string[]): string =>
  sha256([workspace, job.id, ...step].join('\n'));

/** Whether these were written before, by a transaction whose answer was lost. */
export async function haveReceipts(
  tx: Tx,
  { ref, attempt }: Pick<JobRow, 'ref' | 'attempt'>,
  [first]: readonly Receipt[],
): Promise<boolean> {
  if (!first) return false;
  const { key, startedAt, endedAt } = first;
  return (await tx.count(effects, { job: ref, attempt, outboundKey: key, startedAt, endedAt })) > 0;
}

/** Writes what a try did outside. It has happened, so it is written down whatever became of the claim. */
export async function writeReceipts(tx: Tx, job: JobRow, receipts: readonly Receipt[]): Promise<void> {
  for (const { step, phase = null, key, kind, target, outcome, result, startedAt, endedAt } of receipts) {
    await tx.insert(effects, {
      id: tx.id(),
      job: job.ref,
      attempt: job.attempt,
      step,
      phase,
      kind,
      target: redactText(target),
      inboundKey: job.inboundKey ?? job.key,
      outboundKey: key,
      outcome: redactText(outcome),
      digest: digest(redact(result)),
      startedAt,
      endedAt,
    });
  }
}
