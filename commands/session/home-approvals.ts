import { minute } from '../../src/core/approval-cards.ts';
import type { Ctx } from '../../src/core/command.ts';
import type { Action, Item } from '../../src/core/message.ts';
import { approvals, isApprover, partsOf, votes, type ApprovalRow } from '../../src/domain/approval.ts';
import { may } from '../../src/domain/permission.ts';
import { redact } from '../../src/domain/redact.ts';
import { approvalView } from '../approval/view.ts';
import { allowed, partOf, SHOWN, type Part } from './home-part.ts';

/** Requests that are looked through for those that wait for the caller. */
const SCANNED = 200;
/** Votes on so many requests; a policy with more is none. */
const MOST_VOTES = 5_000;
/**
 * Characters of a command that every channel shows whole in a line, with `&`, `<` and `>` counted as they are escaped. What is
 * longer has to be looked at before it is approved.
 */
const LONGEST = 200;
const weightOf = (text: string): number => text.length + 4 * (text.match(/[&<>]/g)?.length ?? 0);

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
  const asked = pending.filter(({ requester }) => requester === who.name);
  const standing = await votesOn(ctx, [...mine, ...asked]);
  const votersOf = ({ ref }: ApprovalRow) => standing.get(ref) ?? [];
  const waiting = mine.filter((row) => !votersOf(row).includes(who.name));
  const part = (title: string, none: string, rows: readonly ApprovalRow[], decides: boolean): Part =>
    partOf({
      title,
      none,
      rows: rows.slice(0, SHOWN),
      of: rows.length,
      open: pending.length === SCANNED,
      item: (row) => itemOf(ctx, row, votersOf(row), decides),
      view: (row) => ({ ...approvalView(row), approvedBy: votersOf(row) }),
    });
  return {
    votes: part('Waiting for your vote', 'Nothing waits for your vote.', waiting, true),
    asked: part('You asked for', 'Nothing of yours waits for approval.', asked, false),
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

function itemOf(ctx: Ctx, row: ApprovalRow, voters: readonly string[], decides: boolean): Item {
  const vote = { approval: row.ref, digest: row.digest };
  const { text, whole } = line(ctx, row, voters);
  const decisions: Action[] = [
    { label: 'Approve', style: 'primary', invocation: { command: 'approval.approve', args: vote } },
    {
      label: 'Deny',
      style: 'danger',
      invocation: { command: 'approval.deny', args: vote },
      asks: ['reason'],
    },
  ];
  return { text, actions: allowed(ctx, [...(decides && whole ? decisions : []), details(row)]) };
}

const details = ({ ref: id }: ApprovalRow): Action => ({
  label: 'Details',
  invocation: { command: 'approval.show', args: { id } },
});

/** `APR-1 · ana asks: job run deploy · risk destructive · approved by ben (needs 2) · until 2026-03-02 10:00 UTC`. */
function line(ctx: Ctx, row: ApprovalRow, voters: readonly string[]): { text: string; whole: boolean } {
  const { ref, requester, command, args, risk, policy, expiresAt } = row;
  const asked = ctx.format({ command, args: redact(args) });
  const whole = weightOf(asked) <= LONGEST;
  const quorum = partsOf(policy).map((part) => part.quorum);
  const agreed = voters.length > 0 ? `approved by ${voters.join(', ')}` : 'approved by nobody yet';
  const facts = [
    `${ref} · ${requester} asks: ${whole ? asked : `${asked.slice(0, LONGEST).toWellFormed()}… (see Details)`}`,
    `risk ${risk}`,
    `${agreed} (needs ${quorum.join(' and ')})`,
    `until ${minute(expiresAt)}`,
  ];
  return { text: facts.join(' · '), whole };
}
