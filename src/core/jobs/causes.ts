import type { Catalog } from '../../domain/catalog.ts';
import { HOUR } from '../../domain/clock.ts';
import { Refusal } from '../../domain/errors.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import type { Ctx } from '../command.ts';
import type { ReadTx } from '../store.ts';

/** What led to a run: the chain, outermost first, and when it was asked for, where no proven person did. */
export type Origin = Pick<JobRow, 'causes' | 'causedAt'>;

type Asking = Pick<Ctx, 'tx' | 'now' | 'who' | 'channel' | 'assurance' | 'causes'> & {
  readonly catalog: Pick<Catalog, 'jobs'>;
};

/**
 * Where a run comes from, for its row. `before`: what led to it already, where it is a further attempt.
 * @throws Refusal `conflict` with the chain, when that is longer than the workspace allows (`jobs.depth`) or the runbook
 * was started without a person more often within the hour than it may be (`jobs.causedPerHour`).
 */
export async function originOf(
  ctx: Asking,
  runbook: string,
  before: readonly string[] = [],
): Promise<Origin> {
  const causes = [...before, ...(await chainOf(ctx.tx, ctx.causes))];
  const { depth, causedPerHour } = ctx.catalog.jobs;
  if (causes.length > depth) throw stopped(runbook, causes, 'jobs.depth', `more than ${depth} causes`);
  if (isAttended(ctx)) return { causes, causedAt: null };
  const causedAt = { above: new Date(ctx.now.getTime() - HOUR) };
  // A loop through somebody who drops the header shows no depth, only pace.
  if ((await ctx.tx.count(jobs, { runbook, causedAt })) >= causedPerHour)
    throw stopped(
      runbook,
      causes,
      'jobs.causedPerHour',
      `${causedPerHour} runs within the hour that no person asked for`,
    );
  return { causes, causedAt: ctx.now };
}

/** A person asked for it, and proved to be that person, or wrote the schedule that does: no run had them write it. */
function isAttended({ who, channel, assurance, causes }: Asking): boolean {
  if (who.kind !== 'person') return false;
  return channel === 'schedule' ? causes.length === 1 : assurance !== 'signature';
}

/** A job that is named first brings its own causes along. What cannot be verified makes the chain no shorter. */
async function chainOf(tx: ReadTx, said: readonly string[]): Promise<readonly string[]> {
  const [first] = said;
  if (first === undefined || !first.startsWith('JOB-')) return said;
  const row = await tx.get(jobs, { ref: first });
  return [...(row?.causes ?? []), ...said];
}

function stopped(runbook: string, causes: readonly string[], bound: string, what: string): Refusal {
  const chain = [...causes, runbook].join(' → ');
  return new Refusal(
    'conflict',
    `${runbook} was not started, as it may be starting itself: ${what} (${bound}). ${chain}`,
    {
      entry: { event: 'job.loop_stopped', target: runbook, details: { runbook, stoppedBy: bound, causes } },
    },
  );
}
