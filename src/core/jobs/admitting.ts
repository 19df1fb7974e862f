import type { ApprovalPolicy } from '../../domain/approval.ts';
import { SECOND } from '../../domain/clock.ts';
import { Refusal } from '../../domain/errors.ts';
import { jobs } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import { countRun } from '../budgets.ts';
import type { Ctx } from '../command.ts';

/** What a client should wait before it asks a full queue again. */
const FULL = 10 * SECOND;

/**
 * Lets a run into the queue, be it a new one, one that was approved or a further attempt: there is room for it, and it is
 * counted against its budgets. `given`: the policy that was met for it, if one was.
 * @throws Refusal `rate_limited` that names the bound of the queue or the budget that is met, `conflict` where a budget
 * asks for an approval that was not given.
 */
export async function admitRun(ctx: Ctx, runbook: Runbook, given: ApprovalPolicy | undefined): Promise<void> {
  await checkRoom(ctx, runbook);
  await countRun(ctx, runbook, given);
}

/** Back-pressure: @throws Refusal `rate_limited` that names the bound of the queue that is met. */
export async function checkRoom({ tx, catalog }: Ctx, { name, bounds }: Runbook): Promise<void> {
  const most = catalog.jobs.queued;
  if ((await tx.count(jobs, { state: 'queued' })) >= most)
    throw full(`${most} jobs are queued, which is the workspace’s bound (jobs.queued)`);
  if (bounds.queued === undefined) return;
  if ((await tx.count(jobs, { runbook: name, state: 'queued' })) >= bounds.queued)
    throw full(`${bounds.queued} runs of ${name} are queued, which is its bound (bounds.queued)`);
}

const full = (what: string): Refusal =>
  new Refusal('rate_limited', `${what}; try again once some have run.`, { retryAfter: FULL });
