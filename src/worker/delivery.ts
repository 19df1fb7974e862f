import type { Outbound } from '../core/adapter.ts';
import type { Reply } from '../core/message.ts';
import type { OutgoingRow } from '../core/outgoing.ts';
import { clip } from '../domain/clip.ts';
import { DAY, HOUR, SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import type { outbox } from '../domain/records.ts';
import type { Patch } from '../domain/table.ts';

export type Message = OutgoingRow;

/** How a delivery ended, and what is written of it. */
export interface Change {
  readonly result: 'sent' | 'retry' | 'dead';
  readonly patch: Patch<typeof outbox>;
  /** Set where the place it was to go to is gone, or closed to us. */
  readonly gone?: boolean;
}

const FIRST_WAIT = 2 * SECOND;
const LONGEST_WAIT = 4 * HOUR;
/** How long a message is tried before it is given up (RFC 5321 section 4.5.4.1 asks for days). */
export const GIVE_UP = 2 * DAY;

/** As a channel gets it; `tried`: whether an earlier try may have been accepted without our knowing. */
export function outbound(message: Message, replaces: string | undefined, tried: boolean): Outbound {
  const { reply } = message.reply as { reply: Reply };
  return {
    key: message.key,
    reply,
    ...(replaces !== undefined && { replaces }),
    ...(tried && { triedSince: message.createdAt }),
  };
}

/** What becomes of a message that was not accepted: tried again later, or given up where that would be of no use. */
export function afterFailure(message: Message, error: unknown, at: Date, random: () => number): Change {
  const now = at.getTime();
  const text = error instanceof Error ? clip(error.message, 500) : 'unknown error';
  const passing =
    !(error instanceof Refusal) || error.code === 'rate_limited' || error.code === 'unavailable';
  if (!passing || now - message.createdAt.getTime() > GIVE_UP)
    return { result: 'dead', patch: { state: 'dead', error: text, reply: {} }, gone: isGone(error) };
  const asked = (error instanceof Refusal && error.retryAfter) || 0;
  const pause = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** message.attempts) * (0.5 + random() / 2);
  const nextAt = new Date(now + Math.max(asked, pause));
  return { result: 'retry', patch: { attempts: message.attempts + 1, nextAt, error: text } };
}

const isGone = (error: unknown): boolean => error instanceof Refusal && error.code === 'not_found';
