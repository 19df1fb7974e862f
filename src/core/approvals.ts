import {
  approvals,
  decide,
  isApprover,
  isNamed,
  votes,
  type ApprovalPolicy,
  type ApprovalRow,
  type Decision,
  type VoteRow,
} from '../domain/approval.ts';
import { Refusal } from '../domain/errors.ts';
import { jobs } from '../domain/job.ts';
import { digest } from '../domain/json.ts';
import { may, type Permission } from '../domain/permission.ts';
import { principals, type Principal } from '../domain/principal.ts';
import { refusalAnswer } from './answer.ts';
import {
  approvalCard,
  askApprovers,
  minute,
  neededOf,
  showVotes,
  spendToken,
  withdrawCards,
} from './approval-cards.ts';
import type { Command, Ctx } from './command.ts';
import { tellDecided } from './jobs/telling.ts';
import type { Address, Answer, Invocation, Reply } from './message.ts';
import { enqueue } from './outgoing.ts';

/** What the vote commands take. */
const DECIDE: Permission = 'approval:decide';

/** Writes the request and what waits for it, and asks every approver who is linked to a channel that can be asked. */
export async function requestApproval(
  ctx: Ctx,
  command: Command,
  args: Record<string, unknown>,
  invocation: Invocation,
  policy: ApprovalPolicy,
): Promise<Reply> {
  const ref = `APR-${await ctx.tx.next('APR')}`;
  const held = await command.hold?.(ctx, args, ref);
  const row = await ctx.tx.insert(approvals, {
    id: ctx.tx.id(),
    ref,
    state: 'pending',
    command: invocation.command,
    args: invocation.args,
    digest: digest(invocation),
    target: held?.target ?? invocation.command,
    risk: command.riskOf?.(args, ctx.catalog) ?? command.risk,
    policy,
    requester: ctx.who.name,
    chain: await ctx.chain(),
    scopes: ctx.who.scopes,
    correlationId: ctx.correlationId,
    replyTo: ctx.replyTo ?? null,
    expiresAt: new Date(ctx.now.getTime() + policy.timeout),
    createdAt: ctx.now,
    decidedAt: null,
  });
  await ctx.emit('approval.requested', ref, {
    ...invocation,
    digest: row.digest,
    quorum: policy.quorum,
    target: row.target,
  });
  await askApprovers(ctx, row);
  const waits = held ? `${held.target} waits for ${ref}` : `${ref} waits`;
  const text = `${waits}: ${neededOf(policy)} until ${minute(row.expiresAt)}.`;
  return {
    text: [text, ...(policy.because ?? [])].join(' '),
    // What waits for an approval is a job.
    ...(held && { job: held.target }),
    data: { approval: ref, digest: row.digest, target: row.target, expiresAt: row.expiresAt.toISOString() },
  };
}

export interface CastVote {
  readonly approval: string;
  readonly decision: Decision;
  readonly reason: string | undefined;
  readonly digest: string | undefined;
}

/** Counts one vote and, when it decides, lets the held command run or drops it: all in the vote's own transaction. */
export async function castVote(
  ctx: Ctx,
  vote: CastVote,
): Promise<{ row: ApprovalRow; released: Answer | undefined }> {
  const row = await ctx.tx.get(approvals, { ref: vote.approval });
  if (!row) throw new Refusal('not_found', `There is no approval ${vote.approval}.`);
  if (ctx.assurance === 'signature')
    throw new Refusal('forbidden', 'A webhook proves its source, not a person, so it cannot vote.');
  if (ctx.channel === 'email') await spendToken(ctx, row.ref);
  const standing = await ctx.tx.find(votes, { where: { approval: row.ref } });
  const still = await stillApprovers(ctx, row, standing);
  const mayStill = (name: string, part: ApprovalPolicy): boolean => {
    const voter = still.get(name);
    return voter !== undefined && isNamed(part, voter);
  };
  const { decision, reason } = vote;
  const state = decide(
    row,
    standing,
    mayStill,
    { who: ctx.who, decision, reason, digest: vote.digest },
    ctx.now,
  );
  const cast = await ctx.tx.insert(votes, {
    id: ctx.tx.id(),
    approval: row.ref,
    voter: ctx.who.name,
    decision,
    reason: reason ?? null,
    channel: ctx.channel,
    assurance: ctx.assurance,
    digest: row.digest,
    at: ctx.now,
  });
  await ctx.emit('approval.voted', row.ref, {
    decision,
    reason: reason ?? null,
    channel: ctx.channel,
    assurance: ctx.assurance,
  });
  if (state === 'pending') {
    await showVotes(ctx, row, [...standing.filter(({ voter }) => still.has(voter)), cast]);
    return { row, released: undefined };
  }
  return settle(ctx, row, state, reason);
}

/** Who of those that voted could vote today: known, named by the policy, permitted to decide. */
async function stillApprovers(
  ctx: Ctx,
  { policy }: ApprovalRow,
  standing: readonly VoteRow[],
): Promise<ReadonlyMap<string, Principal>> {
  const still = new Map<string, Principal>();
  for (const { voter, at } of standing) {
    const who = await ctx.principal(voter);
    if (!who || !isApprover(policy, who) || !may(who, DECIDE)) continue;
    // A name that was given away in between is another person's now.
    const entered = (await ctx.tx.get(principals, { name: voter }))?.createdAt;
    if (entered && entered <= at) still.set(voter, who);
  }
  return still;
}

/** Ends a pending request as decided, expired or cancelled. */
export async function settle(
  ctx: Ctx,
  row: ApprovalRow,
  state: 'approved' | 'denied' | 'expired' | 'cancelled',
  reason: string | undefined,
): Promise<{ row: ApprovalRow; released: Answer | undefined }> {
  const settled = await ctx.tx.update(approvals, row, { state, decidedAt: ctx.now });
  await ctx.emit(`approval.${state}`, row.ref, { target: row.target, reason: reason ?? null });
  const outcome = `${row.ref} ${state}${reason ? `: ${reason.replace(/\.$/, '')}` : ''}`;
  const released = state === 'approved' ? await release(ctx, settled) : undefined;
  const said = released?.reply.text;
  if (released && released.status !== 'ok')
    await ctx.emit('approval.voided', row.ref, { target: row.target, reason: said ?? null });
  if (released?.status !== 'ok') await drop(ctx, settled, said ?? outcome);
  const text = [`${outcome}.`, said].filter(Boolean).join('\n');
  if (row.replyTo) {
    const address = row.replyTo as Address;
    const job = await ctx.tx.get(jobs, { ref: row.target });
    if (!job || !(await tellDecided(ctx.tx, job, { id: row.ref, address, text })))
      await enqueue(ctx.tx, { key: `approval:${row.ref}:outcome`, address, reply: { text } });
  }
  const cast = await ctx.tx.find(votes, { where: { approval: row.ref }, orderBy: [{ column: 'at' }] });
  await withdrawCards(ctx, row, { text, card: approvalCard(ctx, settled, cast, { reason, said }) });
  return { row: settled, released };
}

/**
 * Runs exactly what was approved, as the one who asked, with the permissions that person has now. Where that is no
 * longer possible, the answer says why.
 */
async function release(ctx: Ctx, row: ApprovalRow): Promise<Answer> {
  const who: Principal | undefined = await ctx.principal(row.requester, row.scopes);
  const voided = (why: string) =>
    refusalAnswer(row.ref, ctx.correlationId, new Refusal('conflict', `${row.ref} is void: ${why}.`));
  const entered = (await ctx.tx.get(principals, { name: row.requester }))?.createdAt;
  if (entered && entered > row.createdAt) return voided(`${row.requester} is somebody else by now`);
  if (!who) return voided(`${row.requester}, who asked for it, is no longer known here`);
  if (digest({ command: row.command, args: row.args }) !== row.digest)
    return voided('it is not what was asked for');
  return ctx.invoke(
    { command: row.command, args: row.args },
    { who, approved: { ref: row.ref, target: row.target }, correlationId: row.correlationId },
  );
}

async function drop(ctx: Ctx, row: ApprovalRow, reason: string): Promise<void> {
  const { ref, target } = row;
  await ctx.commands.find(row.command)?.drop?.(ctx, row.args, { ref, target }, reason);
}
