import type { Ctx } from '../../src/core/command.ts';
import type { Reply } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { jobs, type JobRow } from '../../src/domain/job.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { redact } from '../../src/domain/redact.ts';

/** The one JSON form of a job, for whoever may read jobs: without secrets among the arguments. Instants are RFC 3339 in UTC. */
export function jobView(row: JobRow): JsonObject {
  return {
    id: row.ref,
    version: row.version,
    runbook: row.runbook,
    args: redact(row.args),
    state: row.state,
    requester: row.requester,
    approval: row.approval,
    attempt: row.attempt,
    maxAttempts: row.maxAttempts,
    cancelRequested: row.cancelRequested,
    result: (row.result ?? null) as Json,
    error: row.error,
    correlationId: row.correlationId,
    createdAt: row.createdAt.toISOString(),
    startedAt: row.startedAt?.toISOString() ?? null,
    endedAt: row.endedAt?.toISOString() ?? null,
  };
}

/** One line: `JOB-3 [running] deploy · ben · try 1 of 2`. */
export function jobLine(row: JobRow): string {
  const tries = row.attempt > 0 ? `try ${row.attempt} of ${row.maxAttempts}` : undefined;
  return [`${row.ref} [${row.state}] ${row.runbook}`, row.requester, tries, row.error]
    .filter(Boolean)
    .join(' · ');
}

export const jobReply = (text: string, row: JobRow): Reply => ({ text, data: jobView(row) });

/** @throws Refusal `not_found`. */
export async function findJob(ctx: Ctx, id: string): Promise<JobRow> {
  const row = await ctx.tx.get(jobs, { ref: id });
  if (!row) throw new Refusal('not_found', `There is no job ${id}.`);
  return row;
}
