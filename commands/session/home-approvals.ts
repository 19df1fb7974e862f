import { askedFor, isShownWhole, minute, requestActions } from '../../src/core/approval-cards.ts';
import type { Ctx } from '../../src/core/command.ts';
import type { Item } from '../../src/core/message.ts';
import { approvals, isApprover, partsOf, votes, type ApprovalRow } from '../../src/domain/approval.ts';
import { may } from '../../src/domain/permission.ts';
import { approvalView } from '../approval/view.ts';
import { allowed, partOf, SHOWN, type Part, type Shown } from './home-part.ts';

/** Requests that are looked through for those that wait for the caller. */
const SCANNED = 1_000;
/** Votes on so many requests; a policy with more is none. */
const MOST_VOTES = 5_000;
/** Characters of a command that every channel shows whole in a line. What is longer has to be looked at before it is approved. */
const LONGEST = 200;

/**
 * Pending requests, those that expire first first: the ones that the caller may decide and has not, and apart the ones
 * that the caller asked for.
 */
export async function approvalParts(ctx: Ctx): Promise<{ votes: Part; asked: Part } | undefined> {
  const { tx, who } = ctx;
  if (!may(who, 'approval:read')) return undefined;
  const pending = await tx.find(approvals, {
    where: { state: 'pending', expiresAt: { above: ctx.now } },
    orderBy: [{ column: 'expiresAt' }],
    limit: SCANNED,
  });
  const mine = pending.filter(({ policy, chain }) => !chain.includes(who.name) && isApprover(policy, who));
  const its = { requester: who.name, state: 'pending', expiresAt: { above: ctx.now } } as const;
  const asked = await tx.find(approvals, { where: its, orderBy: [{ column: 'expiresAt' }], limit: SHOWN });
  const of = asked.length < SHOWN ? asked.length : await tx.count(approvals, its);
  const standing = await votesOn(ctx, [...mine, ...asked]);
  const votersOf = ({ ref }: ApprovalRow) => standing.get(ref) ?? [];
  const waiting = mine.filter((row) => !votersOf(row).includes(who.name));
  const part = (
    words: Pick<Shown<ApprovalRow>, 'title' | 'none' | 'of' | 'open'>,
    rows: readonly ApprovalRow[],
    decides: boolean,
  ): Part =>
    partOf({
      ...words,
      rows: rows.slice(0, SHOWN),
      item: (row) => itemOf(ctx, row, votersOf(row), decides),
      view: (row) => ({ ...approvalView(row), approvedBy: votersOf(row) }),
    });
  const open = pending.length === SCANNED;
  const none = open ? `None of the first ${SCANNED} waits for your vote.` : 'Nothing waits for your vote.';
  const title = 'Waiting for your vote';
  return {
    votes: part({ title, none, of: waiting.length, open }, waiting, true),
    asked: part({ title: 'You asked for', none: 'Nothing of yours waits for approval.', of }, asked, false),
  };
}

/** Who has voted, by request: while one is pending, all of these have approved. */
async function votesOn(ctx: Ctx, rows: readonly ApprovalRow[]): Promise<ReadonlyMap<string, string[]>> {
  const voters = new Map<string, string[]>();
  if (rows.length === 0) return voters;
  const where = { approval: { in: rows.map(({ ref }) => ref) } };
  for (const { approval, voter } of await ctx.tx.find(votes, { where, limit: MOST_VOTES }))
    voters.set(approval, [...(voters.get(approval) ?? []), voter]);
  return voters;
}

/** `APR-1 · ana asks: job run deploy · risk destructive · approved by ben (needs 2) · until 2026-03-02 10:00 UTC`. */
function itemOf(ctx: Ctx, row: ApprovalRow, voters: readonly string[], decides: boolean): Item {
  const { ref, requester, risk, policy, expiresAt } = row;
  const asked = askedFor(ctx, row);
  const whole = isShownWhole(asked, LONGEST);
  const quorum = partsOf(policy).map((part) => part.quorum);
  const agreed = voters.length > 0 ? `approved by ${voters.join(', ')}` : 'approved by nobody yet';
  const facts = [
    `${ref} · ${requester} asks: ${whole ? asked : `${asked.slice(0, LONGEST).toWellFormed()}… (see Details)`}`,
    `risk ${risk}`,
    `${agreed} (needs ${quorum.join(' and ')})`,
    `until ${minute(expiresAt)}`,
  ];
  const actions = requestActions(ctx, row).filter(({ style }) => style === undefined || (decides && whole));
  return { text: facts.join(' · '), ...(whole && { exact: asked }), actions: allowed(ctx, actions) };
}
