import { runbookOf } from '../../domain/catalog.ts';
import { Refusal } from '../../domain/errors.ts';
import { isOver, jobDigest, type JobRow } from '../../domain/job.ts';
import type { JsonObject } from '../../domain/json.ts';
import { may } from '../../domain/permission.ts';
import type { Runbook } from '../../domain/runbook.ts';
import { permissionsOf } from '../../domain/step.ts';
import type { Ctx } from '../command.ts';
import { runbookArgs } from '../runbook-args.ts';
import { admitRun } from './admitting.ts';
import { originOf } from './causes.ts';
import { settleLetters } from './dead-letters.ts';
import { queueJob } from './queueing.ts';
import { tellAgain } from './telling.ts';
import { forgetSteps, leftToUndo, undoAgain } from './retaking.ts';

/**
 * Puts a job that is over back into the queue as a further attempt of the same job, with all its tries, as its runbook
 * is now; where its steps were not wholly undone, to undo what is left. Its dead letters are settled by that.
 * @throws Refusal `conflict` when it is not over, its runbook is gone or needs an approval for each run;
 * `forbidden` without the runbook's permission; `invalid_argument` when it no longer takes the arguments;
 * `rate_limited` when the queue is full or a budget is spent.
 */
export async function repeat(ctx: Ctx, row: JobRow, runAt: Date, details: JsonObject): Promise<JobRow> {
  const { tx, causes } = ctx;
  // A job that runs or waits may become queued too, but not by this.
  if (!isOver(row.state)) throw new Refusal('conflict', `${row.ref} is ${row.state}: it is not over yet.`);
  if (row.state === 'succeeded')
    throw new Refusal(
      'conflict',
      `${row.ref} succeeded; for another run of the same: job run --again ${row.ref}`,
    );
  const later = runAt > ctx.now && { runAt: runAt.toISOString() };
  // Whoever has it run again asks for it too, and may not approve what it comes to.
  const chain = [...new Set([...row.chain, ...(await ctx.chain())])];
  const left = await leftToUndo(tx, row);
  if (left.length > 0) {
    checkPermission(ctx, row.plan ?? undefined);
    await settleLetters(ctx, row.ref, 'itself');
    const undoing = await undoAgain(tx, row, left, { runAt, chain });
    const { runbook: name, phase } = undoing;
    await ctx.emit('job.queued', row.ref, { runbook: name, phase, ...details, ...later });
    await tellAgain(tx, undoing);
    return undoing;
  }
  const runbook = repeatable(ctx, row);
  // The runbook may have been changed since: it runs as it is now, if it still takes these arguments.
  const args = runbookArgs(runbook, row.args);
  // What another run made do this is a cause of what comes of it, or a retry of itself would go round for ever.
  const before = causes.length > 0 ? [...row.causes, row.ref] : row.causes;
  const origin = await originOf(ctx, row.runbook, before);
  await admitRun(ctx, runbook, undefined);
  await settleLetters(ctx, row.ref, 'itself');
  const queued = await queueJob(tx, row, {
    args,
    digest: jobDigest(runbook, args),
    maxAttempts: row.attempt + runbook.tries.max,
    capability: runbook.capability,
    runAt,
    ...AFRESH,
    ...origin,
    causedAt: origin.causedAt ?? row.causedAt,
    chain,
    ...(await forgetSteps(tx, row)),
  });
  await ctx.emit('job.queued', row.ref, { runbook: row.runbook, ...details, ...later });
  await tellAgain(tx, queued);
  return queued;
}

/** What is forgotten of the attempts before. */
const AFRESH = {
  cancelRequested: false,
  error: null,
  failure: null,
  stoppedBy: null,
  progress: null,
  result: null,
  startedAt: null,
  endedAt: null,
} as const;

function repeatable(ctx: Ctx, row: JobRow): Runbook {
  const runbook = runbookOf(ctx.catalog, row.runbook);
  if (!runbook)
    throw new Refusal('conflict', `The configuration no longer defines ${row.runbook}, so it cannot run.`);
  checkPermission(ctx, runbook);
  // A vote is for one run; another run of the same asks for its own.
  if (runbook.approval)
    throw new Refusal(
      'conflict',
      `${row.runbook} needs a new approval for each run: use \`job run --again ${row.ref}\`.`,
    );
  return runbook;
}

/** @throws Refusal `forbidden` without the permission of the runbook and of each that it calls. */
export function checkPermission({ who }: Ctx, runbook: Runbook | undefined): void {
  const missing = permissionsOf(runbook).find((needed) => !may(who, needed));
  if (missing) throw new Refusal('forbidden', `it needs the permission ${missing}`);
}
