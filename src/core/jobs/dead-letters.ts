import { jobs, type JobRow, type Stage } from '../../domain/job.ts';
import { deadLetters } from '../../domain/records.ts';
import { redactText } from '../../domain/redact.ts';
import type { Row } from '../../domain/table.ts';
import type { Ctx } from '../command.ts';
import type { Tx } from '../store.ts';
import { emit } from './journalling.ts';
import { reportedJob } from './report-keys.ts';

export type DeadLetter = Row<typeof deadLetters>;

/** Keeps a job that came to an end without success, or a report that did not arrive, until somebody deals with it. */
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
    settledAt: null,
    settledBy: null,
  });
  await emit(tx, row, 'job.dead', { stage, reason });
}

/** Buries a report of a job's end that was given up. What a job came to on the way may be lost. */
export async function buryReport(tx: Tx, key: string, reason: string): Promise<void> {
  const ref = reportedJob(key);
  const row = ref === undefined ? undefined : await tx.get(jobs, { ref });
  if (row) await bury(tx, row, 'report', reason, key);
}

type Settling = Pick<Ctx, 'tx' | 'who' | 'now'>;

/**
 * Settles what is open of a job that runs again: as a further attempt of itself, or as another job, which undoes nothing
 * of it. Reports that were lost stay: a further run does not bring them.
 */
export async function settleLetters(ctx: Settling, job: string, by: 'itself' | 'another'): Promise<void> {
  const where = { job, settledAt: null, message: null } as const;
  const stage = { not: 'compensate' } as const;
  for (const letter of await ctx.tx.find(deadLetters, {
    where: by === 'itself' ? where : { ...where, stage },
  }))
    await settleLetter(ctx, letter);
}

export async function settleLetter({ tx, who, now }: Settling, letter: DeadLetter): Promise<void> {
  await tx.update(deadLetters, letter, { settledAt: now, settledBy: who.name });
}
