import { jobDigest, jobs, type JobRow } from '../../domain/job.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Runbook } from '../../domain/runbook.ts';
import { checkSandbox } from '../../domain/sandbox.ts';
import { calledBy } from '../../domain/step.ts';
import type { Ctx } from '../command.ts';
import { runbookArgs } from '../runbook-args.ts';
import { admitRun, checkRoom } from './admitting.ts';
import { originOf } from './causes.ts';
import { settleLetters } from './dead-letters.ts';
import type { Key } from './keys.ts';
import { queueJob } from './queueing.ts';

/** What may be asked for besides the runbook's arguments. */
export interface Wishes {
  /** Not before this instant. */
  readonly runAt?: Date | undefined;
  readonly priority?: number | undefined;
  readonly key?: Key | undefined;
  readonly notify?: string | undefined;
  readonly repeats?: string | undefined;
}

/** What is not known of a job before it runs. */
const UNBEGUN = {
  attempt: 0,
  leaseUntil: null,
  leaseOwner: null,
  graceUntil: null,
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
  for (const one of [runbook, ...calledBy(runbook)]) checkSandbox(ctx.catalog.sandbox, one);
  const args = runbookArgs(runbook, given);
  const { causes, causedAt } = await originOf(ctx, runbook.name);
  // What waits for an approval is let in when it is released; where there is no room already, nobody is asked.
  await (approval === null ? admitRun(ctx, runbook, undefined) : checkRoom(ctx, runbook));
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
    key: key?.name ?? null,
    asked: key?.asked ?? null,
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
  if (approval === null && repeats !== undefined) await settleLetters(ctx, repeats, 'another');
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
