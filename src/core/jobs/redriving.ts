import { Refusal } from '../../domain/errors.ts';
import { jobs } from '../../domain/job.ts';
import { deadLetters, outbox } from '../../domain/records.ts';
import type { Row } from '../../domain/table.ts';
import type { Ctx } from '../command.ts';
import { repeat } from './repeating.ts';

export type DeadLetter = Row<typeof deadLetters>;

/** What became of a dead letter: undefined when it was redriven, or why it could not be. */
export interface Redriven {
  readonly letter: DeadLetter;
  readonly refusal: Refusal | undefined;
}

/**
 * Redrives dead letters one after another, each apart from the others: a job runs again, not before `at` says, and a
 * report is sent again.
 */
export async function redrive(
  ctx: Ctx,
  letters: readonly DeadLetter[],
  at: (index: number) => Date,
): Promise<Redriven[]> {
  const done: Redriven[] = [];
  for (const letter of letters) {
    const index = done.filter(({ refusal }) => !refusal).length;
    try {
      await ctx.tx.attempt(() => redriveOne(ctx, letter, at(index)));
      done.push({ letter, refusal: undefined });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.entry) await ctx.emit(refusal.entry.event, refusal.entry.target, refusal.entry.details);
      done.push({ letter, refusal });
    }
  }
  return done;
}

async function redriveOne(ctx: Ctx, letter: DeadLetter, at: Date): Promise<void> {
  const row = await ctx.tx.get(jobs, { ref: letter.job });
  if (!row) throw new Refusal('conflict', `${letter.job} is no longer kept.`);
  if (letter.message === null) await repeat(ctx, row, at, { redriven: letter.stage });
  else await sendAgain(ctx, letter, letter.message, at);
  const { job, stage, reason } = letter;
  await ctx.emit('job.redriven', job, { runbook: row.runbook, stage, reason });
}

/** The same message under the same key, so that a receiver that had it after all can tell. */
async function sendAgain({ tx, who, now }: Ctx, letter: DeadLetter, key: string, at: Date): Promise<void> {
  const row = await tx.get(outbox, { key });
  if (row?.state !== 'dead')
    throw new Refusal('conflict', `The report of ${letter.job} is not to be sent again.`);
  const fresh = { state: 'queued', attempts: 0, error: null, createdAt: now } as const;
  await tx.update(outbox, row, { ...fresh, nextAt: at });
  await tx.update(deadLetters, letter, { redrivenAt: now, redrivenBy: who.name });
}
