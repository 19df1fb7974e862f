import type { Json, JsonObject } from './json.ts';
import type { Permission } from './permission.ts';
import type { Runbook, Step, StepCall, StepWait } from './runbook.ts';
import { int, json, maybe, table, text, time, type Row } from './table.ts';

export type Phase = 'forward' | 'compensating';

/** How far a job of steps has come: one row for each step, and each compensation, that was begun. */
export const jobSteps = table('job_steps', {
  job: text(), // jobs.ref
  /** The step's place in its runbook, from 0. */
  position: int(),
  name: text(),
  phase: text<Phase>(),
  /**
   * `queued`: for a try. `waiting`: for its event, approval or time. `done` with an error: it was done, and nothing can go
   * on with what it returned. `skipped`: there was nothing to undo it with.
   */
  state: text<'queued' | 'running' | 'waiting' | 'done' | 'failed' | 'skipped'>(),
  attempt: int(),
  /** Sent as `Idempotency-Key` on every try of this step. */
  key: text(),
  output: json<Json>(),
  error: maybe(text()),
  startedAt: time(),
  endedAt: maybe(time()),
});

export type JobStepRow = Row<typeof jobSteps>;

/** What a job of steps does next. */
export type Move =
  | {
      readonly kind: 'call';
      readonly position: number;
      readonly name: string;
      readonly call: StepCall;
      readonly row: JobStepRow | undefined;
    }
  | {
      readonly kind: 'wait';
      readonly position: number;
      readonly name: string;
      readonly wait: StepWait;
      readonly row: JobStepRow | undefined;
    }
  /** The step was done and has no compensation. */
  | { readonly kind: 'skip'; readonly position: number; readonly name: string }
  | { readonly kind: 'end' };

const rowOf = (rows: readonly JobStepRow[], phase: Phase, position: number): JobStepRow | undefined =>
  rows.find((row) => row.phase === phase && row.position === position);

/** Forward: the first step that is not done. Compensating: the last that is done and not yet dealt with. */
export function nextMove(steps: readonly Step[], rows: readonly JobStepRow[], phase: Phase): Move {
  return phase === 'forward' ? forward(steps, rows) : backward(steps, rows);
}

function forward(steps: readonly Step[], rows: readonly JobStepRow[]): Move {
  for (const [position, step] of steps.entries()) {
    const row = rowOf(rows, 'forward', position);
    if (row?.state === 'done') continue;
    const at = { position, name: step.name, row };
    return 'wait' in step
      ? { kind: 'wait', ...at, wait: step.wait }
      : { kind: 'call', ...at, call: { runbook: step.runbook, args: step.args } };
  }
  return { kind: 'end' };
}

function backward(steps: readonly Step[], rows: readonly JobStepRow[]): Move {
  for (const [position, step] of [...steps.entries()].toReversed()) {
    if (rowOf(rows, 'forward', position)?.state !== 'done') continue;
    const row = rowOf(rows, 'compensating', position);
    if (row && row.state !== 'running' && row.state !== 'queued') continue;
    const at = { position, name: step.name };
    const call = 'wait' in step ? undefined : step.compensate;
    return call ? { kind: 'call', ...at, call, row } : { kind: 'skip', ...at };
  }
  return { kind: 'end' };
}

/** What the steps that are done returned, by name. */
export function outputsOf(rows: readonly JobStepRow[]): JsonObject {
  const done = rows.filter((row) => row.phase === 'forward' && row.state === 'done');
  return Object.fromEntries(done.map((row) => [row.name, row.output]));
}

/** Tries so far. */
export const triesOf = (rows: readonly JobStepRow[]): number =>
  rows.reduce((sum, row) => sum + row.attempt, 0);

/** When the first of the steps since the last wait began; undefined before that. */
export function begunAt(steps: readonly Step[], rows: readonly JobStepRow[]): Date | undefined {
  const isOver = (position: number) => rowOf(rows, 'forward', position)?.state === 'done';
  const wait = steps.findLastIndex((step, position) => 'wait' in step && isOver(position));
  const first = rowOf(rows, 'forward', wait + 1);
  return first && first.attempt > 0 ? first.startedAt : undefined;
}

/** The step after which nothing goes on, if there is one. */
export const brokenBy = (rows: readonly JobStepRow[]): JobStepRow | undefined =>
  rows.find(
    ({ phase, state, error }) =>
      phase === 'forward' && (state === 'failed' || (state === 'done' && error !== null)),
  );

/** The steps that are done and not undone, the last first, each with what was begun to undo it. */
export function notUndone(
  rows: readonly JobStepRow[],
): { readonly step: JobStepRow; readonly undo: JobStepRow | undefined }[] {
  return rows
    .filter(({ phase, state }) => phase === 'forward' && state === 'done')
    .toSorted((a, b) => b.position - a.position)
    .map((step) => ({ step, undo: rowOf(rows, 'compensating', step.position) }))
    .filter(({ undo }) => undo?.state !== 'done' && undo?.state !== 'skipped');
}

export interface StepSummary {
  readonly step: string;
  readonly state: JobStepRow['state'] | 'not run';
  readonly tries: number;
  readonly error: string | null;
  /** What became of its compensation, where one was due. */
  readonly undone?: JobStepRow['state'];
  readonly undoError?: string;
}

/** What became of each step. */
export function summaryOf(steps: readonly Step[], rows: readonly JobStepRow[]): StepSummary[] {
  return steps.map(({ name }, position) => {
    const row = rowOf(rows, 'forward', position);
    const undo = rowOf(rows, 'compensating', position);
    return {
      step: name,
      state: row?.state ?? 'not run',
      tries: row?.attempt ?? 0,
      error: row?.error ?? null,
      ...(undo && { undone: undo.state }),
      ...(undo && undo.error !== null && { undoError: undo.error }),
    };
  });
}

/** What whoever asks for a run has to hold: the runbook's own permission, and that of each step. */
export const permissionsOf = (runbook: Runbook | undefined): Permission[] =>
  runbook ? [...new Set([runbook, ...calledBy(runbook)].map((one) => one.permission))] : [];

/** The runbooks that a runbook of steps calls, compensations included; none for any other. */
export function calledBy({ executor }: Runbook): Runbook[] {
  if (executor.kind !== 'steps') return [];
  return executor.steps.flatMap((step) =>
    'wait' in step ? [] : [step.runbook, ...(step.compensate ? [step.compensate.runbook] : [])],
  );
}
