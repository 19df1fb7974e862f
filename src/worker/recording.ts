import { buryReport } from '../core/jobs/dead-letters.ts';
import { reportedJob } from '../core/jobs/report-keys.ts';
import type { Address, Reply } from '../core/message.ts';
import { enqueue } from '../core/outgoing.ts';
import type { Tx } from '../core/store.ts';
import { tellUndelivered } from '../core/undelivered.ts';
import { outbox } from '../domain/records.ts';
import type { Change, Message } from './delivery.ts';

/** Writes how a delivery ended, unless the message is no longer what was delivered. */
export async function record(tx: Tx, message: Message, { result, patch, gone }: Change): Promise<void> {
  const row = await tx.get(outbox, { id: message.id });
  if (!row) return;
  if (row.state === 'withdrawn') return replaceWithdrawn(tx, row, patch.externalId ?? null);
  // Whoever had the channel meanwhile has told how it ended.
  if (row.state !== 'queued') return;
  if (result === 'sent' && row.version !== message.version) return sendChange(tx, row, patch.externalId);
  const { key: target, channel, lane } = row;
  const dead = result === 'dead';
  // The report of a job's end is kept as it is, for whoever redrives it.
  const kept = dead && reportedJob(target) !== undefined && { reply: row.reply };
  await tx.update(outbox, row, { ...patch, ...kept });
  if (!dead) return;
  await buryReport(tx, target, patch.error ?? 'it was given up');
  if (gone) await tellUndelivered(tx, row, patch.error ?? 'it is gone');
  await tx.append({
    event: 'message.dead',
    actor: 'system',
    target,
    correlationId: row.id,
    cause: null,
    details: { channel, lane, error: patch.error ?? null },
  });
}

/** It was withdrawn while it was on its way: what was sent is replaced by what holds now. */
async function replaceWithdrawn(tx: Tx, row: Message, externalId: string | null): Promise<void> {
  if (externalId === null) return;
  await tx.update(outbox, row, { externalId });
  const { reply } = row.reply as { reply?: Reply };
  // Otherwise what holds now is queued already, and follows it.
  if (reply === undefined) return;
  const address = row.address as Address;
  await enqueue(tx, { key: `${row.key}:settled`, address, reply, place: { replaces: externalId } });
}

/** It was changed while it was on its way: what it says now is sent in the place of what it said. */
async function sendChange(tx: Tx, row: Message, externalId: string | null | undefined): Promise<void> {
  const replaces = externalId === null ? {} : { replaces: externalId };
  const reply = { ...(row.reply as object), ...replaces };
  await tx.update(outbox, row, {
    reply,
    attempts: 0,
    nextAt: tx.now,
    error: null,
    ...(externalId !== undefined && { externalId }),
  });
}
