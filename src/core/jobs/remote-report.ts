import { claims, type ClaimRow } from '../../domain/claim.ts';
import { Refusal } from '../../domain/errors.ts';
import { digest, type JsonObject } from '../../domain/json.ts';
import type { Ctx } from '../command.ts';
import type { Reply } from '../message.ts';
import { countUsage } from '../usage.ts';
import type { Final } from './ending.ts';
import { jobView } from './job-json.ts';
import { writeReceipts } from './receipts.ts';
import { lateAt } from './remote-beat.ts';
import { endClaim, findClaim, lost, receiptOf, type Claim, type Found } from './remote-claim.ts';

/** How a worker says that its try ended, and the one word for it that the receipt keeps. */
export interface Report {
  readonly outcome: Final;
  readonly word: string;
}

/** A claim that is, or was, this worker's. */
type Own = Pick<Found, 'row'> & { readonly record: ClaimRow };

/** An answer as it is kept for a repeat. */
type Kept = { readonly text: string; readonly data: JsonObject } | { readonly refused: string };

/**
 * Ends a claim as its worker says. The same words again get the first answer again: the answer to the first may have been
 * lost on its way. What comes too late ends nothing, and yet leaves its receipt and what was used: it has happened.
 * @throws Refusal `conflict` for other words, and where the claim was never this worker's.
 */
export async function report(
  ctx: Pick<Ctx, 'tx' | 'catalog'>,
  which: Claim,
  { outcome, word }: Report,
): Promise<Reply> {
  const { tx } = ctx;
  const found = await findClaim(tx, which);
  const { row, record, holds } = found;
  const said = digest({ word, outcome: outcome as unknown as JsonObject });
  if (record?.said === said) return replyOf(record.answer as Kept);
  if (record && record.said !== null) {
    const text = `This claim of ${row.ref} was ended before, and otherwise; nothing was changed.`;
    throw new Refusal('conflict', text);
  }
  if (!record) throw lost(row);
  const answer = await (holds ? endNow : endLate)(ctx, which, { row, record }, { outcome, word });
  await tx.update(claims, record, { said, answer });
  return replyOf(answer);
}

const replyOf = (kept: Kept): Reply =>
  'refused' in kept ? { text: kept.refused, refusal: new Refusal('conflict', kept.refused) } : kept;

async function endNow(
  { tx, catalog }: Pick<Ctx, 'tx' | 'catalog'>,
  { worker }: Claim,
  { row, record: { startedAt } }: Own,
  { outcome, word }: Report,
): Promise<Kept> {
  const runbook = catalog.runbooks.get(row.runbook);
  // What was stopped as asked may say so, however long that took.
  const late = runbook && !row.cancelRequested ? lateAt(tx, row, runbook) : undefined;
  const receipt = receiptOf(tx, worker, row, startedAt, late?.bound ?? word, resultOf(outcome));
  const { usage } = outcome;
  const ended = await endClaim(tx, row, runbook, late ? { ...late, ...(usage && { usage }) } : outcome, [
    receipt,
  ]);
  if (late)
    return { refused: `${row.ref} was ${late.reason}, and is ${ended.state}: nothing else was changed.` };
  return { text: `${ended.ref} is ${ended.state}.`, data: jobView(ended) };
}

async function endLate(
  { tx }: Pick<Ctx, 'tx' | 'catalog'>,
  { worker }: Claim,
  { row, record: { attempt, startedAt } }: Own,
  { outcome, word }: Report,
): Promise<Kept> {
  const receipt = receiptOf(tx, worker, row, startedAt, `${word}, too late`, resultOf(outcome));
  await writeReceipts(tx, { ...row, attempt }, [receipt]);
  await countUsage(tx, row, outcome.usage);
  return { refused: lost(row).message };
}

const resultOf = (outcome: Final): JsonObject | null =>
  'result' in outcome && outcome.result ? outcome.result : null;
