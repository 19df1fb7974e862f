import { clip } from '../../domain/clip.ts';
import { checkStep, jobs, type JobRow, type Outcome, type Stage } from '../../domain/job.ts';
import type { Json } from '../../domain/json.ts';
import { redact, redactText } from '../../domain/redact.ts';
import { usageView } from '../../domain/usage.ts';
import type { Ctx } from '../command.ts';
import type { Tx } from '../store.ts';
import { bury } from './dead-letters.ts';
import { emit, since } from './journalling.ts';
import { postEnd } from './notifying.ts';
import { tellEnd } from './telling.ts';
import { errorText } from './job-json.ts';

export type Final = Exclude<Outcome, { kind: 'wait' }>;

/** Writes the end of a claimed job: state, result, journal, dead letter, and the notice to whoever asked for it. */
export async function end(
  tx: Tx,
  row: JobRow,
  outcome: Final,
  stoppedBy: string | null = null,
): Promise<JobRow> {
  const state = endState(row, outcome);
  checkStep(row.ref, row.state, state);
  const failed = outcome.kind === 'retry' || outcome.kind === 'fail' ? outcome : undefined;
  const error = failed ? redactText(failed.reason) : null;
  const failure = failed?.failure ?? null;
  const result =
    outcome.kind === 'done' || outcome.kind === 'fail' ? redact<Json>(outcome.result ?? null) : null;
  await tx.queue.complete(row);
  const ended = await tx.update(jobs, row, {
    state,
    ticket: null,
    error,
    failure,
    stoppedBy,
    result,
    endedAt: tx.now,
    leaseUntil: null,
    leaseOwner: null,
  });
  const ran = row.state === 'running' && { ran: since(row.runningAt, tx.now) };
  const used = row.usage && { usage: usageView(row.usage) };
  const why = failed && { failure, stoppedBy };
  await emit(tx, ended, `job.${state}`, { attempt: row.attempt, error, ...why, result, ...ran, ...used });
  if (state === 'failed')
    await bury(tx, ended, stageOf(row, outcome), errorText(ended) ?? 'no reason was given');
  await tellEnd(tx, ended, endText(ended));
  return ended;
}

/**
 * Cancels a job that no worker holds, in the name of whoever asks for that. Those who asked for the job are told, unless
 * it waited for an approval: then they are told what became of that.
 */
export async function cancelUnheld(
  { tx, emit: journal }: Pick<Ctx, 'tx' | 'emit'>,
  row: JobRow,
  why: { readonly approval?: string; readonly reason?: string } = {},
): Promise<JobRow> {
  checkStep(row.ref, row.state, 'cancelled');
  await tx.queue.withdraw(row);
  const patch = { ticket: null, error: why.reason ?? null, endedAt: tx.now };
  const ended = await tx.update(jobs, row, { state: 'cancelled', ...patch });
  await journal('job.cancelled', row.ref, { ...why });
  if (row.state === 'waiting' && row.approval !== null) await postEnd(tx, ended);
  else await tellEnd(tx, ended, endText(ended));
  return ended;
}

function endState(row: JobRow, outcome: Final): 'succeeded' | 'failed' | 'cancelled' {
  if (outcome.kind === 'done') return 'succeeded';
  // What was not undone has to be seen, whoever wanted it stopped.
  if (outcome.kind === 'fail' && outcome.stage === 'compensate') return 'failed';
  return outcome.kind === 'cancelled' || row.cancelRequested ? 'cancelled' : 'failed';
}

function stageOf(row: JobRow, outcome: Final): Stage {
  if (outcome.kind === 'fail' && outcome.stage) return outcome.stage;
  if (row.phase === 'compensating') return 'compensate';
  return row.state === 'assigned' ? 'claim' : 'run';
}

/** What whoever asked for it is told. */
function endText(row: JobRow): string {
  return [
    `${row.ref} ${row.state}: ${row.runbook}`,
    errorText(row),
    row.state === 'succeeded' && summary(row),
  ]
    .filter(Boolean)
    .join('\n');
}

function summary({ result }: JobRow): string | undefined {
  const text = JSON.stringify(result);
  return text === '{}' ? undefined : clip(text, 1_000);
}
