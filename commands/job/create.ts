import type { Ctx } from '../../src/core/command.ts';
import { queueJob } from '../../src/core/jobs/state.ts';
import { runbookArgs } from '../../src/core/runbook-args.ts';
import { jobDigest, jobs, type JobRow } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import type { Runbook } from '../../src/domain/runbook.ts';

/** Writes a new job: `queued`, or `waiting` for the approval that is named. */
export async function createJob(
  ctx: Ctx,
  runbook: Runbook,
  given: JsonObject,
  approval: string | null,
): Promise<JobRow> {
  const args = runbookArgs(runbook, given);
  const ref = `JOB-${await ctx.tx.next('JOB')}`;
  const made = await ctx.tx.insert(jobs, {
    id: ctx.tx.id(),
    ref,
    runbook: runbook.name,
    args,
    digest: jobDigest(runbook, args),
    state: 'waiting',
    requester: ctx.who.name,
    approval,
    attempt: 0,
    maxAttempts: runbook.tries.max,
    runAt: ctx.now,
    leaseUntil: null,
    leaseOwner: null,
    fence: 0,
    cancelRequested: false,
    result: null,
    error: null,
    correlationId: ctx.correlationId,
    cause: ctx.cause,
    priority: runbook.priority,
    capability: runbook.capability,
    ticket: null,
    key: null,
    causes: [],
    queuedAt: null,
    assignedAt: null,
    phase: 'forward',
    waitFor: null,
    waitUntil: null,
    failure: null,
    progress: null,
    usage: null,
    notify: null,
    repeats: null,
    replyTo: ctx.replyTo ?? null,
    createdAt: ctx.now,
    startedAt: null,
    endedAt: null,
  });
  const row = approval === null ? await queueJob(ctx.tx, made, {}) : made;
  await ctx.emit(`job.${row.state}`, ref, { runbook: runbook.name, args, approval });
  return row;
}
