import { countRun } from '../../src/core/budgets.ts';
import type { Ctx } from '../../src/core/command.ts';
import { originOf } from '../../src/core/jobs/causes.ts';
import { queueJob } from '../../src/core/jobs/queueing.ts';
import { runbookArgs } from '../../src/core/runbook-args.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { jobDigest, jobs, type JobRow } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { calledBy } from '../../src/domain/step.ts';
import { checkSandbox } from '../../src/domain/sandbox.ts';

/** What may be asked for besides the runbook's arguments. */
export interface Wishes {
  /** Not before this instant. */
  readonly runAt?: Date | undefined;
  readonly priority?: number | undefined;
  readonly key?: string | undefined;
  readonly notify?: string | undefined;
  readonly repeats?: string | undefined;
}

/** What a client should wait before it asks a full queue again. */
const FULL = 10 * SECOND;

/** What is not known of a job before it runs. */
const UNBEGUN = {
  attempt: 0,
  leaseUntil: null,
  leaseOwner: null,
  fence: 0,
  cancelRequested: false,
  result: null,
  error: null,
  ticket: null,
  queuedAt: null,
  assignedAt: null,
  runningAt: null,
  phase: 'forward',
  waitFor: null,
  waitUntil: null,
  failure: null,
  stoppedBy: null,
  progress: null,
  usage: null,
  plan: null,
  startedAt: null,
  endedAt: null,
} as const;

/** Writes a new job: `queued`, or `waiting` for the approval that is named. */
export async function createJob(
  ctx: Ctx,
  runbook: Runbook,
  given: JsonObject,
  approval: string | null,
  { runAt = ctx.now, priority = runbook.priority, key, notify, repeats }: Wishes = {},
): Promise<JobRow> {
  await checkRoom(ctx, runbook);
  for (const one of [runbook, ...calledBy(runbook)]) checkSandbox(ctx.catalog.sandbox, one);
  const args = runbookArgs(runbook, given);
  const { causes, causedAt } = await originOf(ctx, runbook.name);
  // What waits for an approval counts when it is released.
  if (approval === null) await countRun(ctx, runbook, undefined);
  const ref = `JOB-${await ctx.tx.next('JOB')}`;
  const made = await ctx.tx.insert(jobs, {
    ...UNBEGUN,
    id: ctx.tx.id(),
    ref,
    runbook: runbook.name,
    args,
    digest: jobDigest(runbook, args),
    state: 'waiting',
    requester: ctx.who.name,
    approval,
    maxAttempts: runbook.tries.max,
    runAt,
    correlationId: ctx.correlationId,
    cause: ctx.cause,
    priority,
    capability: runbook.capability,
    key: key ?? null,
    causes,
    waitingAt: approval === null ? null : ctx.now,
    causedAt,
    inboundKey: ctx.inboundKey ?? null,
    notify: notify ?? null,
    repeats: repeats ?? null,
    chain: await ctx.chain(),
    scopes: ctx.who.scopes,
    replyTo: ctx.replyTo ?? null,
    createdAt: ctx.now,
  });
  const row = approval === null ? await queueJob(ctx.tx, made, {}) : made;
  await ctx.emit(`job.${row.state}`, ref, {
    runbook: runbook.name,
    args,
    approval,
    ...(runAt > ctx.now && { runAt: runAt.toISOString() }),
    ...(repeats !== undefined && { repeats }),
  });
  return row;
}

/** Back-pressure: @throws Refusal `rate_limited` that names the bound of the queue that is met. */
async function checkRoom({ tx, catalog }: Ctx, { name, bounds }: Runbook): Promise<void> {
  const most = catalog.jobs.queued;
  if ((await tx.count(jobs, { state: 'queued' })) >= most)
    throw full(`${most} jobs are queued, which is the workspace’s bound (jobs.queued)`);
  if (bounds.queued === undefined) return;
  if ((await tx.count(jobs, { runbook: name, state: 'queued' })) >= bounds.queued)
    throw full(`${bounds.queued} runs of ${name} are queued, which is its bound (bounds.queued)`);
}

const full = (what: string): Refusal =>
  new Refusal('rate_limited', `${what}; try again once some have run.`, { retryAfter: FULL });
