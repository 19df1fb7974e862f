import { outbox } from '../domain/records.ts';
import type { Address, Reply } from './message.ts';
import type { Tx } from './store.ts';

export interface Outgoing {
  /** Stable: the same key is queued once, whatever is redelivered. */
  readonly key: string;
  readonly address: Address;
  readonly reply: Reply;
  /** External id of the message it takes the place of. */
  readonly replaces?: string;
}

/** Queues a message in the transaction of the effect that it tells of. Returns false when the key was queued before. */
export async function enqueue(tx: Tx, { key, address, reply, replaces }: Outgoing): Promise<boolean> {
  if (await tx.get(outbox, { key })) return false;
  await tx.insert(outbox, {
    id: tx.id(),
    key,
    channel: address.channel,
    lane: `${address.channel}:${address.to}`,
    address,
    reply: replaces === undefined ? { reply } : { reply, replaces },
    state: 'queued',
    attempts: 0,
    nextAt: tx.now,
    externalId: null,
    error: null,
    createdAt: tx.now,
  });
  return true;
}
