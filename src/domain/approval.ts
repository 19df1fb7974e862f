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
  /** Why it is asked for, where that is more than the command's own rule: budgets that are spent. For people. */
  readonly because?: readonly string[];
  /** A second policy that has to be met as well; one vote counts for both where both name its voter. */
  readonly and?: ApprovalPolicy;
}

/** The policies that all have to be met. */
export const partsOf = (policy: ApprovalPolicy): readonly ApprovalPolicy[] =>
  policy.and ? [policy, ...partsOf(policy.and)] : [policy];

/** One policy that is met when all of these are, within the shortest of their time-outs; undefined for none. */
export function allOf(policies: readonly ApprovalPolicy[]): ApprovalPolicy | undefined {
  const timeout = Math.min(...policies.map((policy) => policy.timeout));
  const strictest = new Map<string, ApprovalPolicy>();
  for (const { quorum, roles, persons } of policies.flatMap(partsOf)) {
    const who = JSON.stringify([roles.toSorted(), persons.toSorted()]);
    const most = Math.max(quorum, strictest.get(who)?.quorum ?? 0);
    strictest.set(who, { quorum: most, roles, persons, timeout });
  }
  const all = [...strictest.values()].reduceRight<ApprovalPolicy | undefined>(
    (and, part) => ({ ...part, ...(and && { and }) }),
    undefined,
  );
  const because = policies.flatMap((policy) => policy.because ?? []);
  return all && because.length > 0 ? { ...all, because } : all;
}

/** Whether whoever met `given` has met `asked`, too. */
export function covers(given: ApprovalPolicy, asked: ApprovalPolicy): boolean {
  const parts = (policy: ApprovalPolicy | undefined) =>
    policy ? partsOf(policy).map(({ quorum, roles, persons }) => ({ quorum, roles, persons })) : [];
  return JSON.stringify(parts(allOf([given, asked]))) === JSON.stringify(parts(allOf([given])));
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
  return partsOf(policy).some((part) => isNamed(part, who));
}

/** Whether one part of a policy names this principal. */
export function isNamed(part: ApprovalPolicy, who: Pick<Principal, 'kind' | 'name' | 'roles'>): boolean {
  if (who.kind !== 'person') return false;
  return part.persons.includes(who.name) || who.roles.some((role) => part.roles.includes(role));
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
 * state that follows; one denial denies. `votes` are counted as they stand now: `stillApprover` tells whether somebody
 * whom a part of the policy named then could vote for it today, so that a role that was taken away counts no more.
 * @throws Refusal `forbidden` or `conflict` saying why the vote does not count.
 */
export function decide(
  approval: Pick<ApprovalRow, 'ref' | 'state' | 'policy' | 'chain' | 'digest' | 'expiresAt'>,
  standing: readonly Pick<VoteRow, 'voter' | 'decision'>[],
  stillApprover: (name: string, part: ApprovalPolicy) => boolean,
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
  const agreed = standing.filter((v) => v.decision === 'approve');
  const isMet = (part: ApprovalPolicy): boolean => {
    const others = agreed.filter((v) => stillApprover(v.voter, part)).length;
    return others + (isNamed(part, vote.who) ? 1 : 0) >= part.quorum;
  };
  return partsOf(policy).every(isMet) ? 'approved' : 'pending';
}
