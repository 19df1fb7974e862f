import { Refusal } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { Principal } from './principal.ts';
import { int, json, maybe, table, text, time, type Row } from './table.ts';

export type ApprovalState = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled';
export type Decision = 'approve' | 'deny';

/** Who must agree: `quorum` distinct persons out of those named, by role or by name. */
export interface ApprovalPolicy {
  readonly quorum: number;
  readonly roles: readonly string[];
  readonly persons: readonly string[];
  /** Milliseconds until the request expires, which denies it. */
  readonly timeout: number;
}

export const approvals = table('approvals', {
  ref: text(), // APR-12
  state: text<ApprovalState>(),
  command: text(),
  args: json<JsonObject>(),
  /** SHA-256 over the RFC 8785 form of what will run; every vote binds to it. */
  digest: text(),
  /** What it is about: the waiting job, or the command's own name. */
  target: text(),
  risk: text(),
  policy: json<ApprovalPolicy>(),
  requester: text(),
  /** Everybody in the chain of causes, the requester first; none of them votes. */
  chain: json<readonly string[]>(),
  scopes: json<readonly string[]>(),
  correlationId: text(),
  /** Where the outcome is told; null where the requester reads it on a stream. */
  replyTo: json<unknown>(),
  expiresAt: time(),
  createdAt: time(),
  decidedAt: maybe(time()),
});

export const votes = table('votes', {
  approval: text(), // approvals.ref
  voter: text(),
  decision: text<Decision>(),
  reason: maybe(text()),
  channel: text(),
  assurance: text(),
  digest: text(),
  at: time(),
});

/** Single-use proofs in approval mails; the id is the SHA-256 of the token. */
export const voteTokens = table('vote_tokens', {
  approval: text(),
  voter: text(),
  expiresAt: time(),
  uses: int(),
});

export type ApprovalRow = Row<typeof approvals>;
export type VoteRow = Row<typeof votes>;

/** Whether the policy names this principal. Only persons are ever asked. */
export function isApprover(policy: ApprovalPolicy, who: Pick<Principal, 'kind' | 'name' | 'roles'>): boolean {
  if (who.kind !== 'person') return false;
  return policy.persons.includes(who.name) || who.roles.some((role) => policy.roles.includes(role));
}

export interface Vote {
  readonly who: Principal;
  readonly decision: Decision;
  readonly reason: string | undefined;
  /** The digest the voter saw, where the channel carries it. */
  readonly digest: string | undefined;
}

/**
 * The one decision function, for every channel. Given the request, the votes that stand and a new one, returns the
 * state that follows; one denial denies. `votes` are counted as they stand now: `stillApprover` drops those of people
 * whose role was taken away in between.
 * @throws Refusal `forbidden` or `conflict` saying why the vote does not count.
 */
export function decide(
  approval: Pick<ApprovalRow, 'ref' | 'state' | 'policy' | 'chain' | 'digest' | 'expiresAt'>,
  standing: readonly Pick<VoteRow, 'voter' | 'decision'>[],
  stillApprover: (name: string) => boolean,
  vote: Vote,
  now: Date,
): Extract<ApprovalState, 'pending' | 'approved' | 'denied'> {
  const { ref, policy } = approval;
  if (approval.state !== 'pending') throw new Refusal('conflict', `${ref} is already ${approval.state}.`);
  if (now >= approval.expiresAt) throw new Refusal('conflict', `${ref} has expired; ask again.`);
  if (vote.who.kind !== 'person')
    throw new Refusal('forbidden', `Only a person can vote, and ${vote.who.name} is a program.`);
  if (approval.chain.includes(vote.who.name))
    throw new Refusal('forbidden', `You asked for ${ref} or caused it, so somebody else has to decide.`);
  if (!isApprover(policy, vote.who)) throw new Refusal('forbidden', `You are not an approver of ${ref}.`);
  if (vote.digest !== undefined && vote.digest !== approval.digest)
    throw new Refusal('conflict', `${ref} is not what you were shown; look at it again.`);
  if (standing.some((v) => v.voter === vote.who.name))
    throw new Refusal('conflict', `You have already voted on ${ref}.`);
  if (vote.decision === 'deny') {
    if (!vote.reason?.trim())
      throw new Refusal('invalid_argument', 'A denial needs a reason: `deny ID --reason …`.');
    return 'denied';
  }
  const others = standing.filter((v) => v.decision === 'approve' && stillApprover(v.voter)).length;
  return others + 1 >= policy.quorum ? 'approved' : 'pending';
}
