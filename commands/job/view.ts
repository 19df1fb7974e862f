import type { Ctx } from '../../src/core/command.ts';
import { stepsOf } from '../../src/core/jobs/step-rows.ts';
import type { Reply } from '../../src/core/message.ts';
import { errorText, jobView } from '../../src/core/jobs/job-json.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { isOver, jobs, progressText, type JobRow } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { DEFAULT_CAPABILITY } from '../../src/domain/runbook.ts';
import { summaryOf, type StepSummary } from '../../src/domain/step.ts';

/** One line: `JOB-3 [running] deploy · ben · try 1, 1 left · 40 % Building`. */
export function jobLine(row: JobRow, now: Date): string {
  const { state, attempt, maxAttempts, phase } = row;
  const undoing = phase === 'compensating' && !isOver(state) ? 'compensating' : undefined;
  // Those of earlier attempts count on, so that the most there can be is not what its runbook says.
  const left = isOver(state) ? '' : `, ${maxAttempts - attempt} left`;
  const tries = attempt > 0 ? `try ${attempt}${left}` : undefined;
  const facts = [
    undoing,
    row.requester,
    tries,
    waiting(row, now),
    wanted(row),
    progressOf(row),
    errorText(row),
  ];
  return [`${row.ref} [${stateText(row, now)}] ${row.runbook}`, ...facts].filter(Boolean).join(' · ');
}

/** `queued until 2026-03-02 10:00:00 UTC`. */
const stateText = ({ state, runAt }: JobRow, now: Date): string =>
  state === 'queued' && runAt > now ? `queued until ${instant(runAt)}` : state;

function waiting({ state, waitFor, waitUntil, approval, runAt }: JobRow, now: Date): string | undefined {
  if (state !== 'waiting') return undefined;
  const named = waitFor?.kind === 'event' ? `event ${waitFor.event}` : undefined;
  const what = named ?? (waitFor?.kind === 'approval' ? waitFor.approval : approval);
  const until = waitUntil ? `until ${instant(waitUntil)}` : undefined;
  const then = runAt > now ? `then until ${instant(runAt)}` : undefined;
  return ['waits', what && `for ${what}`, until, then].filter(Boolean).join(' ');
}

/** What not every worker offers, and perhaps none does. */
export const wanted = ({ state, capability }: JobRow): string | undefined =>
  state === 'queued' && capability !== DEFAULT_CAPABILITY
    ? `for a worker that offers ${capability}`
    : undefined;

const progressOf = ({ state, progress }: JobRow): string | undefined =>
  state === 'running' && progress ? progressText(progress) : undefined;

/** For people: `2026-03-02 10:00:00 UTC`. */
export const instant = (at: Date): string => `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

export const jobReply = (text: string, row: JobRow): Reply => ({ text, data: jobView(row) });

/** @throws Refusal `not_found`. */
export async function findJob(ctx: Ctx, id: string): Promise<JobRow> {
  const row = await ctx.tx.get(jobs, { ref: id });
  if (!row) throw new Refusal('not_found', `There is no job ${id}.`);
  return row;
}

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
