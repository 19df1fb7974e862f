import type { jobs, JobRow } from '../../domain/job.ts';
import type { Step } from '../../domain/runbook.ts';
import { jobSteps, notUndone, type JobStepRow } from '../../domain/step.ts';
import type { Patch } from '../../domain/table.ts';
import type { Tx } from '../store.ts';
import { queueJob } from './queueing.ts';
import { stepsOf } from './step-rows.ts';

/** A row that waits for its first try. */
const UNTRIED = { state: 'queued', attempt: 0, error: null, endedAt: null } as const;

/** The steps that a job did and that are not undone, the last first, each with what was begun to undo it. */
export async function leftToUndo(tx: Pick<Tx, 'find'>, job: JobRow): Promise<ReturnType<typeof notUndone>> {
  return job.plan ? notUndone(await stepsOf(tx, job)) : [];
}

/** Undoes, not before the patch’s `runAt`, what is left of a job that is over, with the same keys; it ends then as it ended before. */
export async function undoAgain(
  tx: Tx,
  job: JobRow,
  left: ReturnType<typeof notUndone>,
  patch: Pick<JobRow, 'runAt' | 'chain'>,
): Promise<JobRow> {
  for (const { undo } of left) if (undo) await tx.update(jobSteps, undo, UNTRIED);
  const maxAttempts = job.attempt + (job.plan?.tries.max ?? 1);
  return queueJob(tx, job, { ...patch, maxAttempts, phase: 'compensating', result: null, endedAt: null });
}

/**
 * What a further attempt of a job begins with where nothing is left to undo: its steps from the first. What was undone
 * is forgotten, and done anew under another key; of the others nobody knows what they did, and they keep theirs.
 */
export async function forgetSteps(tx: Tx, job: JobRow): Promise<Patch<typeof jobs>> {
  if (!job.plan) return {};
  const rows = await stepsOf(tx, job);
  const undone = new Set(
    rows.flatMap(({ phase, state, position }) =>
      phase === 'compensating' && state === 'done' ? [position] : [],
    ),
  );
  const isKept = ({ phase, position }: JobStepRow) => phase === 'forward' && !undone.has(position);
  await removeAll(
    tx,
    rows.filter((row) => !isKept(row)),
  );
  for (const row of rows.filter(isKept)) await tx.update(jobSteps, row, { ...UNTRIED, output: null });
  return { plan: null, phase: 'forward' };
}

/** The rows that an attempt begins with: of those that the attempt before left, the ones that its runbook still has. */
export async function keptSteps(tx: Tx, job: JobRow, steps: readonly Step[]): Promise<JobStepRow[]> {
  const rows = await stepsOf(tx, job);
  const isKept = ({ position, name }: JobStepRow) => steps[position]?.name === name;
  await removeAll(
    tx,
    rows.filter((row) => !isKept(row)),
  );
  return rows.filter(isKept);
}

async function removeAll(tx: Tx, rows: readonly JobStepRow[]): Promise<void> {
  if (rows.length > 0) await tx.remove(jobSteps, { id: { in: rows.map(({ id }) => id) } });
}
