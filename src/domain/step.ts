import type { Json } from './json.ts';
import { int, json, maybe, table, text, time, type Row } from './table.ts';

/** How far a job of steps has come: one row for each step, and each compensation, that was begun. */
export const jobSteps = table('job_steps', {
  job: text(), // jobs.ref
  /** The step's place in its runbook, from 0. */
  position: int(),
  name: text(),
  phase: text<'forward' | 'compensating'>(),
  state: text<'running' | 'waiting' | 'done' | 'failed' | 'skipped'>(),
  attempt: int(),
  /** Sent as `Idempotency-Key` on every try of this step. */
  key: text(),
  output: json<Json>(),
  error: maybe(text()),
  startedAt: time(),
  endedAt: maybe(time()),
});

export type JobStepRow = Row<typeof jobSteps>;
