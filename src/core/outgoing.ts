import { notifyOrigin } from '../domain/job.ts';
import type { Json, JsonObject } from '../domain/json.ts';
import { outbox } from '../domain/records.ts';
import { redact } from '../domain/redact.ts';
import type { Row } from '../domain/table.ts';
import type { Address, Reply } from './message.ts';
import type { ReadTx, Tx } from './store.ts';

/** Where messages go out. */
export const OUTGOING: readonly Address['channel'][] = ['slack', 'email', 'webhook', 'terminal'];

export interface Outgoing {
  /** Stable: the same key is queued once, whatever is redelivered. */
  readonly key: string;
  readonly address: Address;
  readonly reply: Reply;
  /** The message it takes the place of. */
  readonly place?: Place;
}

/** Where an earlier message stands: its external id; or its key, where that may be on its way only just now. */
export type Place = { readonly replaces: string } | { readonly follows: string };

/** Whatever somebody typed goes on without secrets; the one that is meant to go out proves a vote by mail. */
function withoutSecrets(reply: Reply): Reply {
  const { mailToken } = (reply.data ?? {}) as { mailToken?: Json };
  const clean = redact(reply as unknown as Json) as unknown as Reply;
  return mailToken === undefined ? clean : { ...clean, data: { ...(clean.data as JsonObject), mailToken } };
}

/** What is sent one after another. To a URL that is all that goes to its host: the rest of it may be a secret. */
const laneOf = ({ channel, to }: Address): string =>
  `${channel}:${channel === 'webhook' ? notifyOrigin(to) : to}`;

/** Queues a message in the transaction of the effect that it tells of. Returns false when the key was queued before. */
export async function enqueue(tx: Tx, { key, address, reply, place }: Outgoing): Promise<boolean> {
  if (await tx.get(outbox, { key })) return false;
  await tx.insert(outbox, {
    id: tx.id(),
    key,
    channel: address.channel,
    lane: laneOf(address),
    address,
    reply: { reply: withoutSecrets(reply), ...place },
    state: 'queued',
    attempts: 0,
    nextAt: tx.now,
    externalId: null,
    error: null,
    createdAt: tx.now,
  });
  return true;
}

/** Channels on which a message can be changed after it was sent. */
const CHANGEABLE: readonly Address['channel'][] = ['slack'];

export const isChangeable = ({ channel }: Pick<Address, 'channel'>): boolean => CHANGEABLE.includes(channel);

/** A message as it is kept. */
export type OutgoingRow = Row<typeof outbox>;

/**
 * Changes a message: as long as it waits, what it will say, so that only the newest is ever sent; once it is out, where it
 * stands, also where an earlier change of it was given up. Returns false where there is nothing to change: never sent,
 * withdrawn, or out on a channel that changes none.
 */
export async function revise(tx: Tx, row: OutgoingRow, reply: Reply): Promise<boolean> {
  if (row.state === 'queued') {
    await tx.update(outbox, row, { reply: { ...(row.reply as object), reply: withoutSecrets(reply) } });
    return true;
  }
  if (row.state === 'withdrawn' || row.externalId === null || !isChangeable(row.address as Address))
    return false;
  await tx.update(outbox, row, {
    state: 'queued',
    reply: { reply: withoutSecrets(reply), replaces: row.externalId },
    attempts: 0,
    nextAt: tx.now,
    error: null,
    createdAt: tx.now,
  });
  return true;
}

/** Where something stands that takes the place of this message; undefined where it is posted anew. */
export function placeOf({ key, state, reply, externalId }: OutgoingRow): Place | undefined {
  if (externalId !== null) return { replaces: externalId };
  const { replaces, follows } = reply as { replaces?: string; follows?: string };
  if (replaces !== undefined) return { replaces };
  if (state === 'queued') return { follows: key };
  return follows === undefined ? undefined : { follows };
}

/** Messages that were overtaken by one another, one of which may have gone out. */
const MOST_OVERTAKEN = 20;

/**
 * The external id of the message whose place this one takes. What it follows was sent before it, if ever, as both are of one
 * lane: by now it is known which of those that were overtaken went out.
 */
export async function replacedBy(tx: ReadTx, row: OutgoingRow): Promise<string | undefined> {
  let last: OutgoingRow | undefined = row;
  for (let n = 0; last && n < MOST_OVERTAKEN; n += 1) {
    const { replaces, follows } = last.reply as { replaces?: string; follows?: string };
    if (replaces !== undefined) return replaces;
    last = follows === undefined ? undefined : await tx.get(outbox, { key: follows });
    if (last?.externalId) return last.externalId;
  }
  return undefined;
}
