import { randomInt } from 'node:crypto';
import { MINUTE } from '../domain/clock.ts';
import { sha256 } from '../domain/json.ts';
import { linkCodes } from '../domain/records.ts';
import type { Inbound, Reply } from './message.ts';
import type { Tx } from './store.ts';

const VALID = 15 * MINUTE;
/** Where people write from. What is known by itself (a key, the administrator's terminal) has nothing to link. */
const LINKABLE = ['slack', 'email'];
/** Without letters and digits that are taken for one another. */
const ALPHABET = 'ABCDEFGHJKMNPQRSTUVWXYZ23456789';

/** What a code is stored and looked up under. */
export function linkCodeId(code: string): string {
  return sha256(code.replaceAll('-', '').toUpperCase());
}

/**
 * For a proven sender whom nobody knows: `link` gives a single-use code. Whoever confirms it from a channel on which
 * they are known (`link CODE`) ties this sender to themselves. Undefined when the message asks for something else.
 */
export async function offerLink(tx: Tx, message: Inbound): Promise<Reply | undefined> {
  const { body, from } = message;
  // A code is the owner's word for a member. Whether somebody from outside belongs here, an administrator decides.
  if (!LINKABLE.includes(from.channel) || from.outsider !== undefined) return undefined;
  if (!('text' in body) || body.text.trim().toLowerCase() !== 'link') return undefined;
  const code = Array.from({ length: 10 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  const { channel, subject, assurance } = from;
  await tx.remove(linkCodes, { channel, subject });
  await tx.insert(linkCodes, {
    id: linkCodeId(code),
    channel,
    subject,
    assurance,
    expiresAt: new Date(tx.now.getTime() + VALID),
  });
  const shown = `${code.slice(0, 5)}-${code.slice(5)}`;
  return {
    text: `Your code is ${shown}. Within 15 minutes, where you are already known, send: link ${shown}`,
  };
}
