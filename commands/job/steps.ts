import type { Ctx } from '../../src/core/command.ts';
import { stepsOf } from '../../src/core/jobs/step-rows.ts';
import type { JobRow } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { summaryOf, type StepSummary } from '../../src/domain/step.ts';

/** What became of the steps of a job so far; undefined for one that has none. */
export async function stepsView(ctx: Ctx, job: JobRow): Promise<StepView[] | undefined> {
  const executor = job.plan?.executor;
  if (executor?.kind !== 'steps') return undefined;
  const rows = await stepsOf(ctx.tx, job);
  return summaryOf(executor.steps, rows).map((step, position) => {
    const row = rows.find((one) => one.phase === 'forward' && one.position === position);
    const call = executor.steps[position];
    return {
      ...step,
      // What an event told is for those who may read the event.
      output: call && 'wait' in call ? null : (row?.output ?? null),
      startedAt: row?.startedAt.toISOString() ?? null,
      endedAt: row?.endedAt?.toISOString() ?? null,
    };
  });
}

type StepView = StepSummary & Pick<JsonObject, 'output' | 'startedAt' | 'endedAt'>;

/** One line: `  2. migrate: failed after 3 tries (exit code 1) · undone`. */
export function stepLine({ step, state, tries, error, undone, undoError }: StepView, index: number): string {
  const after = tries > 1 ? ` after ${tries} tries` : '';
  const why = error === null ? '' : ` (${error})`;
  const undo =
    undone === undefined ? '' : ` · undo: ${undone}${undoError === undefined ? '' : ` (${undoError})`}`;
  return `  ${index + 1}. ${step}: ${state}${after}${why}${undo}`;
}
