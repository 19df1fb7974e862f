import type { JobRow } from '../../domain/job.ts';
import { canonical, sha256, type Json, type JsonObject } from '../../domain/json.ts';
import { redact, redactText } from '../../domain/redact.ts';
import { jobSteps, type JobStepRow, type Phase } from '../../domain/step.ts';
import type { Tx } from '../store.ts';
import { emit } from './journalling.ts';
import { outboundKey } from './receipts.ts';

/** More than a runbook may have, compensations included. */
const MOST = 1_000;
/** Characters of an output that the journal keeps; of a longer one its digest. */
const KEPT_OUTPUT = 1_000;

export const stepsOf = (tx: Pick<Tx, 'find'>, job: Pick<JobRow, 'ref'>): Promise<JobStepRow[]> =>
  tx.find(jobSteps, { where: { job: job.ref }, orderBy: [{ column: 'id' }], limit: MOST });

/** The step that a job in `waiting` waits at. */
export async function waitingStep(tx: Pick<Tx, 'get'>, job: JobRow): Promise<JobStepRow | undefined> {
  return tx.get(jobSteps, { job: job.ref, phase: 'forward', state: 'waiting' });
}

/** Where a row stands among the steps of its runbook. */
export interface Place {
  readonly position: number;
  readonly name: string;
  readonly phase: Phase;
}

/** Begins a step, or a further try of it. The key stays as it is. */
export async function openStep(
  tx: Tx,
  job: JobRow,
  { position, name, phase }: Place,
  before: JobStepRow | undefined,
  state: 'running' | 'waiting',
): Promise<JobStepRow> {
  const attempt = (before?.attempt ?? 0) + 1;
  const row = before
    ? await tx.update(jobSteps, before, { state, attempt, ...(attempt === 1 && { startedAt: tx.now }) })
    : await tx.insert(jobSteps, { ...newRow(tx, job, { position, name, phase }), state, attempt });
  await emit(tx, job, 'job.step_started', { step: name, phase, attempt });
  return row;
}

/** Writes down that a step could not even begin, or that there is nothing to undo it with. */
export async function closeUnopened(
  tx: Tx,
  job: JobRow,
  place: Place,
  state: 'failed' | 'skipped',
  error: string | null,
): Promise<JobStepRow> {
  const made = { ...newRow(tx, job, place), state, attempt: 0, error, endedAt: tx.now };
  const row = await tx.insert(jobSteps, made);
  const { name: step, phase } = place;
  await emit(tx, job, `job.step_${state}`, { step, phase, attempt: 0, ...(error !== null && { error }) });
  return row;
}

const newRow = (tx: Tx, job: JobRow, { position, name, phase }: Place) => ({
  id: tx.id(),
  job: job.ref,
  position,
  name,
  phase,
  // What was undone and is done again is something new: the claim it begins under tells them apart.
  key: outboundKey(tx.workspace, job, name, phase, String(job.fence)),
  output: null,
  error: null,
  startedAt: tx.now,
  endedAt: null,
});

/**
 * `told`: what the journal says of the result, where whoever reads jobs may not read all of it. `but`: why nothing can go
 * on with it.
 */
export async function finishStep(
  tx: Tx,
  job: JobRow,
  row: JobStepRow,
  result: Json,
  { told, but }: { readonly told?: Json; readonly but?: string } = {},
): Promise<JobStepRow> {
  const output = redact(result);
  const error = but === undefined ? null : redactText(but);
  const done = await tx.update(jobSteps, row, { state: 'done', output, error, endedAt: tx.now });
  const said = { ...about(row), output: told ?? shortened(output), ...(error !== null && { error }) };
  await emit(tx, job, 'job.step_done', said);
  return done;
}

export async function failStep(tx: Tx, job: JobRow, row: JobStepRow, why: string): Promise<JobStepRow> {
  const error = redactText(why);
  const failed = await tx.update(jobSteps, row, { state: 'failed', error, endedAt: tx.now });
  await emit(tx, job, 'job.step_failed', { ...about(row), error });
  return failed;
}

/** It is tried again after so many milliseconds; `attempt`: what its tries so far come to. */
export async function pauseStep(
  tx: Tx,
  job: JobRow,
  row: JobStepRow,
  why: string,
  { wait, attempt }: { readonly wait: number; readonly attempt: number },
): Promise<JobStepRow> {
  const error = redactText(why);
  const paused = await tx.update(jobSteps, row, { state: 'queued', error, attempt });
  await emit(tx, job, 'job.step_failed', { ...about(row), error, wait });
  return paused;
}

const about = ({ name: step, phase, attempt }: JobStepRow): JsonObject => ({ step, phase, attempt });

function shortened(output: Json): Json {
  const text = canonical(output);
  return text.length <= KEPT_OUTPUT ? output : { size: Buffer.byteLength(text), sha256: sha256(text) };
}
