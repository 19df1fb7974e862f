import { runbookOf } from '../../domain/catalog.ts';
import { Refusal } from '../../domain/errors.ts';
import { jobs } from '../../domain/job.ts';
import { outbox } from '../../domain/records.ts';
import type { Ctx } from '../command.ts';
import { settleLetter, type DeadLetter } from './dead-letters.ts';
import { checkPermission, repeat } from './repeating.ts';

/** What became of a dead letter: undefined when it was dealt with, or why it could not be. */
export interface Dealt {
  readonly letter: DeadLetter;
  readonly refusal: Refusal | undefined;
}

/**
 * Deals with dead letters one after another, each apart from the others, until as many as `most` are dealt with: what
 * cannot be holds up none behind it. `deal` is told how many were before.
 */
export async function dealWith(
  ctx: Ctx,
  letters: readonly DeadLetter[],
  most: number,
  deal: (letter: DeadLetter, before: number) => Promise<void>,
): Promise<Dealt[]> {
  const all: Dealt[] = [];
  let done = 0;
  for (const letter of letters) {
    if (done >= most) break;
    try {
      await ctx.tx.attempt(() => deal(letter, done));
      done += 1;
      all.push({ letter, refusal: undefined });
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      if (refusal.entry) await ctx.emit(refusal.entry.event, refusal.entry.target, refusal.entry.details);
      all.push({ letter, refusal });
    }
  }
  return all;
}

/** A job runs again, not before `at`, or a report is sent again. @throws Refusal as `repeat` does. */
export async function redrive(ctx: Ctx, letter: DeadLetter, at: Date): Promise<void> {
  const row = await ctx.tx.get(jobs, { ref: letter.job });
  if (!row) throw new Refusal('conflict', `${letter.job} is no longer kept.`);
  if (letter.message === null) await repeat(ctx, row, at, { redriven: letter.stage });
  else await sendAgain(ctx, letter, letter.message, at);
  const { job, stage, reason } = letter;
  await ctx.emit('job.redriven', job, { runbook: row.runbook, stage, reason });
}

/** The same message under the same key, so that a receiver that had it after all can tell. */
async function sendAgain(ctx: Ctx, letter: DeadLetter, key: string, at: Date): Promise<void> {
  const row = await ctx.tx.get(outbox, { key });
  if (row?.state !== 'dead')
    throw new Refusal('conflict', `The report of ${letter.job} is not to be sent again.`);
  const fresh = { state: 'queued', attempts: 0, error: null, createdAt: ctx.now } as const;
  await ctx.tx.update(outbox, row, { ...fresh, nextAt: at });
  await settleLetter(ctx, letter);
}

/** Nothing more is to come of it. @throws Refusal `forbidden` without the runbook's permission. */
export async function dismiss(ctx: Ctx, letter: DeadLetter, why: string): Promise<void> {
  const { job, runbook, stage, reason } = letter;
  checkPermission(ctx, runbookOf(ctx.catalog, runbook));
  await settleLetter(ctx, letter);
  await ctx.emit('job.dismissed', job, { runbook, stage, reason, why });
}
