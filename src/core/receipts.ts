import { DAY } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { digest, sha256, type Json } from '../domain/json.ts';
import type { Principal } from '../domain/principal.ts';
import { receipts } from '../domain/records.ts';
import { redact } from '../domain/redact.ts';
import type { Answer, Inbound } from './message.ts';
import type { Tx } from './store.ts';

/** Never shorter than a source's own retry horizon. */
export const KEPT = 30 * DAY;

/** The receipt of one keyed message: its id is scoped to channel and sender, its digest to the content. */
export interface ReceiptKey {
  readonly id: string;
  readonly digest: string;
}

export function receiptKey(message: Inbound, who: Principal | undefined): ReceiptKey | undefined {
  if (message.dedupeKey === undefined) return undefined;
  const { channel, from, dedupeKey } = message;
  // All keys of one principal are one sender; elsewhere the proven identity is, so that what was answered before it was
  // linked to somebody stays answered.
  const sender = from.channel === 'key' && who ? ['principal', who.name] : [from.channel, from.subject];
  return {
    id: sha256([channel, ...sender, dedupeKey].join('\n')),
    digest: digest(message.body),
  };
}

/**
 * The first answer, where this message was answered before.
 * @throws Refusal `key_reused` when the same key came with another content.
 */
export async function replay(tx: Tx, key: ReceiptKey): Promise<Answer | undefined> {
  const found = await tx.get(receipts, { id: key.id });
  if (!found) return undefined;
  if (found.expiresAt <= tx.now) {
    await tx.remove(receipts, { id: key.id });
    return undefined;
  }
  if (found.digest !== key.digest)
    throw new Refusal(
      'key_reused',
      'This key was used for another message; use a new key for a new command.',
    );
  return found.answer as Answer;
}

/** Stores the answer beside its effect. A secret that was shown once is not kept, so a repeat shows it redacted. */
export async function keep(tx: Tx, key: ReceiptKey, answer: Answer): Promise<void> {
  await tx.insert(receipts, {
    id: key.id,
    digest: key.digest,
    answer: redact(answer as unknown as Json),
    expiresAt: new Date(tx.now.getTime() + KEPT),
  });
}
