import { partsOf, type ApprovalRow, type VoteRow } from '../../src/domain/approval.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { redact } from '../../src/domain/redact.ts';

/** The one JSON form of a request for approval. */
export function approvalView(row: ApprovalRow, votes: readonly VoteRow[] = []): JsonObject {
  return {
    id: row.ref,
    version: row.version,
    state: row.state,
    invocation: { command: row.command, args: redact(row.args) },
    digest: row.digest,
    target: row.target,
    risk: row.risk,
    requester: row.requester,
    quorum: row.policy.quorum,
    approvers: { roles: row.policy.roles, persons: row.policy.persons },
    /** Further quorums that have to be met as well. */
    further: partsOf(row.policy)
      .slice(1)
      .map(({ quorum, roles, persons }) => ({ quorum, approvers: { roles, persons } })),
    /** Why it is asked for, besides its runbook's own rule. */
    because: row.policy.because ?? [],
    votes: votes.map(({ voter, decision, reason, channel, assurance, at }) => ({
      voter,
      decision,
      reason,
      channel,
      assurance,
      at: at.toISOString(),
    })),
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    decidedAt: row.decidedAt?.toISOString() ?? null,
  };
}

/** One line: `APR-1 [pending] job.run JOB-1 · ben · until 2026-03-02T10:00:00.000Z`. */
export function approvalLine(row: ApprovalRow): string {
  const until = row.state === 'pending' ? `until ${row.expiresAt.toISOString()}` : undefined;
  return [`${row.ref} [${row.state}] ${row.command} ${row.target}`, row.requester, until]
    .filter(Boolean)
    .join(' · ');
}
