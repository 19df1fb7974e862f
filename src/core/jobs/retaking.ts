import type { jobs, JobRow } from '../../domain/job.ts';
import { jobSteps, type JobStepRow } from '../../domain/step.ts';
import type { Patch } from '../../domain/table.ts';
import type { Tx } from '../store.ts';
import { emit } from './journalling.ts';
import { queueJob } from './queueing.ts';
import { stepsOf } from './step-rows.ts';

/** What a job that is over should have undone, and has not. */
export async function leftToUndo(tx: Pick<Tx, 'find'>, job: JobRow): Promise<JobStepRow[]> {
  if (!job.plan || job.phase === 'forward') return [];
  const rows = await stepsOf(tx, job);
  return rows.filter(
    ({ phase, state }) => phase === 'compensating' && state !== 'done' && state !== 'skipped',
  );
}

/** Tries once more to undo what is left, with the same keys, and ends then as it ended before. */
export async function undoAgain(tx: Tx, job: JobRow, left: readonly JobStepRow[]): Promise<JobRow> {
  for (const row of left) await tx.update(jobSteps, row, { state: 'waiting', attempt: 0, endedAt: null });
  const maxAttempts = job.attempt + (job.plan?.tries.max ?? 1);
  const again = { runAt: tx.now, maxAttempts, result: null, endedAt: null };
  const queued = await queueJob(tx, job, again);
  await emit(tx, queued, 'job.queued', { phase: queued.phase, retry: true });
  return queued;
}

/**
 * What a further attempt of a job begins with where nothing is left to undo: its steps from the first, with new keys,
 * as what was done under the old ones is no more.
 */
export async function forgetSteps(tx: Tx, job: JobRow): Promise<Patch<typeof jobs>> {
  if (!job.plan) return {};
  await tx.remove(jobSteps, { job: job.ref });
  return { plan: null, phase: 'forward' };
}
