import { randomBytes } from 'node:crypto';
import {
  isApprover,
  partsOf,
  voteTokens,
  type ApprovalPolicy,
  type ApprovalRow,
  type Decision,
  type VoteRow,
} from '../domain/approval.ts';
import { Refusal } from '../domain/errors.ts';
import { sha256 } from '../domain/json.ts';
import { principals } from '../domain/principal.ts';
import { outbox } from '../domain/records.ts';
import { redact } from '../domain/redact.ts';
import type { Ctx } from './command.ts';
import { EVERYBODY, linkedTo, TOLD_ON, type ToldOn } from './linked-addresses.ts';
import type { Action, Card, Fact, Reply } from './message.ts';
import { enqueue, revise, type OutgoingRow } from './outgoing.ts';

/** What a voter reads before deciding: exactly what will run, and who has agreed so far. */
export function approvalText(ctx: Ctx, row: ApprovalRow, votes: readonly VoteRow[] = []): string {
  const voters = votes.map(({ voter }) => voter).join(', ');
  return [
    `${row.ref}: ${row.requester} asks to run`,
    askedFor(ctx, row),
    ...(row.policy.because ?? []),
    `Risk: ${row.risk}. Needs ${partsOf(row.policy).map(quorumOf).join(' and ')}.`,
    ...(voters === '' ? [] : [`Approved so far: ${voters}.`]),
    `Expires: ${minute(row.expiresAt)}. Digest: ${row.digest.slice(0, 12)}.`,
  ].join('\n');
}

/** What is said on a card besides what the request itself says. */
interface Outcome {
  /** Why it ended so. */
  readonly reason?: string | undefined;
  /** What came of it. */
  readonly said?: string | undefined;
}

/** The same, laid out: what will run letter by letter; once it is decided, how it ended, who decided and why. */
export function approvalCard(
  ctx: Ctx,
  row: ApprovalRow,
  votes: readonly VoteRow[] = [],
  { reason, said }: Outcome = {},
): Card {
  const isOpen = row.state === 'pending';
  const agreed = votersOf(votes, 'approve');
  const denied = votersOf(votes, 'deny');
  const asked = askedFor(ctx, row);
  const isLong = isOpen && !isShownWhole(asked, LONGEST_ON_CARD);
  const body = [
    ...(isLong
      ? [`Too long to be approved here. Read all of it by mail or REST, then type: approve ${row.ref}`]
      : []),
    ...(row.policy.because ?? []),
    ...(said ? [said] : []),
  ].join('\n');
  const facts: readonly (Fact | false)[] = [
    denied !== '' && { label: 'Denied by', text: denied },
    !isOpen && agreed !== '' && { label: 'Approved by', text: agreed },
    Boolean(reason) && { label: 'Reason', text: reason ?? '' },
    { label: 'Asked by', text: row.requester },
    { label: 'Risk', text: row.risk },
    { label: 'Needs', text: neededOf(row.policy) },
    isOpen && { label: 'Approved so far', text: agreed || 'nobody yet' },
    row.decidedAt === null
      ? { label: 'Expires', at: row.expiresAt.toISOString() }
      : { label: 'Decided', at: row.decidedAt.toISOString() },
    { label: 'Digest', text: row.digest.slice(0, 12) },
    row.target !== row.command && { label: 'Target', text: row.target },
  ];
  return {
    title: isOpen
      ? `${row.ref}: ${row.requester} asks to run`
      : `${row.ref} ${row.state}: ${row.requester} asked to run`,
    exact: asked,
    facts: facts.filter((fact) => fact !== false),
    ...(body !== '' && { body }),
  };
}

const votersOf = (votes: readonly VoteRow[], which: Decision): string =>
  votes
    .filter(({ decision }) => decision === which)
    .map(({ voter }) => voter)
    .join(', ');

const quorumOf = ({ quorum }: ApprovalPolicy): string => `${quorum} approval${quorum === 1 ? '' : 's'}`;

/** `2 approvals (role approver, ana)`. */
export function neededOf(policy: ApprovalPolicy): string {
  const parts = partsOf(policy).map((part) => {
    const people = [...part.roles.map((role) => `role ${role}`), ...part.persons].join(', ');
    return `${quorumOf(part)} (${people})`;
  });
  return parts.join(' and ');
}

/** `2026-03-02 10:00 UTC`, for people. */
export const minute = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** Asks every approver who is linked to a channel that can be asked. */
export async function askApprovers(ctx: Ctx, row: ApprovalRow): Promise<void> {
  const people = await ctx.tx.find(principals, {
    where: { kind: 'person', disabled: false },
    limit: EVERYBODY,
  });
  const asked = people
    .filter((p) => !row.chain.includes(p.name))
    .filter((p) => isApprover(row.policy, p))
    .map((p) => p.name);
  const { data, ...reply } = request(ctx, row, []);
  for (const { principal, subject, address } of await linkedTo(ctx.tx, asked)) {
    // Mails can be answered, and hold no buttons: their text says all there is.
    const proof = address.channel === 'email' ? { mailToken: await issueToken(ctx, row, principal) } : {};
    const key = `${cardKey(row, address.channel)}${subject}`;
    await enqueue(ctx.tx, { key, address, reply: { ...reply, data: { ...data, ...proof } } });
  }
}

/** What the keys of a request's cards on a channel begin with. */
const cardKey = ({ ref }: Pick<ApprovalRow, 'ref'>, channel: ToldOn): string => `approval:${ref}:${channel}:`;

/** Of an answer that shows an open request where it can be decided, on the channel whose messages can be changed. */
export const answerCardKey = (ref: string, id: string): string =>
  `${cardKey({ ref }, 'slack')}${ANSWER}${id}`;
const ANSWER = 'answer:';

const isAnswer = ({ key }: OutgoingRow, row: ApprovalRow): boolean =>
  key.startsWith(`${cardKey(row, 'slack')}${ANSWER}`);

const cardsOn = (ctx: Ctx, row: ApprovalRow, channel: ToldOn): Promise<OutgoingRow[]> =>
  ctx.tx.find(outbox, { where: { key: { prefix: cardKey(row, channel) } }, limit: EVERYBODY });

/** What somebody who may decide is shown. */
const request = (ctx: Ctx, row: ApprovalRow, votes: readonly VoteRow[]) => ({
  text: approvalText(ctx, row, votes),
  data: { approval: row.ref, digest: row.digest },
  card: approvalCard(ctx, row, votes),
  approval: row.ref,
  actions: requestActions(ctx, row),
});

/**
 * What can be done about a request that waits. A vote binds to what was shown, so none is offered for what a card may not
 * show whole; a denial is asked for its reason.
 */
export function requestActions(ctx: Ctx, row: ApprovalRow): readonly Action[] {
  const { ref, digest } = row;
  const args = { approval: ref, digest };
  const approve: Action = {
    label: 'Approve',
    style: 'primary',
    invocation: { command: 'approval.approve', args },
  };
  return [
    ...(isShownWhole(askedFor(ctx, row), LONGEST_ON_CARD) ? [approve] : []),
    {
      label: 'Deny',
      style: 'danger',
      invocation: { command: 'approval.deny', args },
      asks: ['reason'],
    },
    { label: 'Details', invocation: { command: 'approval.show', args: { id: ref } } },
  ];
}

/** Exactly what will run, as it would be typed, without secrets. */
export const askedFor = (ctx: Ctx, { command, args }: ApprovalRow): string =>
  ctx.format({ command, args: redact(args) });

/** A message of 12,000 characters shows as much whole beside whatever else a card holds. */
const LONGEST_ON_CARD = 3_000;

/** Whether a text has at most so many characters, those counted in full that a channel has to escape. */
export const isShownWhole = (text: string, most: number): boolean =>
  text.length + 4 * (text.match(/[&<>"\\`\n\t]/g)?.length ?? 0) <= most;

async function issueToken(ctx: Ctx, row: ApprovalRow, voter: string): Promise<string> {
  const token = randomBytes(18).toString('hex');
  await ctx.tx.insert(voteTokens, {
    id: sha256(token),
    approval: row.ref,
    voter,
    expiresAt: row.expiresAt,
    uses: 0,
  });
  return token;
}

/** A vote by mail needs the single-use token that was sent to that voter for that request, besides the proven sender. */
export async function spendToken(ctx: Ctx, approval: string): Promise<void> {
  const wrong = new Refusal(
    'forbidden',
    `A vote by mail needs the token of ${approval}: answer the approval mail itself.`,
  );
  if (ctx.proof === undefined) throw wrong;
  const found = await ctx.tx.get(voteTokens, { id: sha256(ctx.proof) });
  if (!found || found.approval !== approval || found.voter !== ctx.who.name || found.uses > 0) throw wrong;
  if (found.expiresAt <= ctx.now) throw wrong;
  await ctx.tx.update(voteTokens, found, { uses: 1 });
}

/** Shows on every card that can be changed who has agreed so far. */
export async function showVotes(ctx: Ctx, row: ApprovalRow, votes: readonly VoteRow[]): Promise<void> {
  const reply = request(ctx, row, votes);
  for (const message of await cardsOn(ctx, row, 'slack')) await revise(ctx.tx, message, reply);
}

/** After the decision nobody is asked any more, and no card keeps its buttons. */
export async function withdrawCards(ctx: Ctx, row: ApprovalRow, reply: Reply): Promise<void> {
  for (const channel of TOLD_ON) {
    // A mail that went out cannot be changed; its token is of no use any more.
    const instead = channel === 'slack' ? { reply } : {};
    for (const message of await cardsOn(ctx, row, channel)) {
      // What somebody has on the screen, or has asked for, says how it ended, also where it was still to go out.
      if (message.externalId !== null || isAnswer(message, row)) await revise(ctx.tx, message, reply);
      else if (message.state === 'queued')
        await ctx.tx.update(outbox, message, { state: 'withdrawn', reply: instead });
    }
  }
}
