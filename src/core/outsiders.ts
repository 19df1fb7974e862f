import type { Outsider } from '../domain/principal.ts';
import type { Inbound, VerifiedIdentity } from './message.ts';

interface Kind {
  /** Why they are denied, for the journal. */
  readonly reason: string;
  /** The same, to themselves. */
  readonly told: string;
}

const KINDS: Readonly<Record<Outsider, Kind>> = {
  guest: { reason: 'a guest whom nobody named', told: 'Guests are known once an administrator names them' },
  bot: { reason: 'a program that nobody named', told: 'Programs are known once an administrator names them' },
  stranger: {
    reason: 'of another team, and named by nobody',
    told: 'People of other teams are known once an administrator names them',
  },
  deactivated: { reason: 'a closed account', told: 'This account was closed' },
};

/** Why a proven sender is nobody here, for the journal. */
export const whyUnknown = ({ outsider }: VerifiedIdentity): string =>
  outsider === undefined ? 'linked to nobody' : KINDS[outsider].reason;

/** The same for the sender, with what to do about it. A code is offered to members alone. */
export function howToBecomeKnown({ channel, subject, outsider }: VerifiedIdentity): string {
  const ask = `person link NAME ${channel}:${subject}`;
  if (outsider === undefined)
    return `You are not linked to anybody here. Send \`link\` here for a code, or ask an administrator for: ${ask}`;
  const { told } = KINDS[outsider];
  return `You are not known here. ${told}${outsider === 'deactivated' ? '.' : `: ${ask}`}`;
}

/**
 * Whether somebody who is nobody here is told so. Not by a message of its own to programs, for two that answer one another
 * never end, nor to people of other teams, who could make us write wherever they write.
 */
export function isTold({ from: { outsider }, replyTo }: Inbound): boolean {
  return replyTo === undefined || (outsider !== 'bot' && outsider !== 'stranger');
}
