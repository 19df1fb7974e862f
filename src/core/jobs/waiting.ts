import type { ApprovalPolicy } from '../../domain/approval.ts';
import { Refusal } from '../../domain/errors.ts';
import { checkStep, jobs, type JobRow, type Wait } from '../../domain/job.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import type { StepWait } from '../../domain/runbook.ts';
import type { JobStepRow } from '../../domain/step.ts';
import type { Patch } from '../../domain/table.ts';
import type { Tx } from '../store.ts';
import { emit, since } from './journalling.ts';
import { addLines } from './log.ts';
import { queueJob } from './queueing.ts';
import { tellPause, waitText } from './telling.ts';
import { failStep, finishStep, waitingStep } from './step-rows.ts';

/** Asks, in the transaction of the step that waits for it, for the approval to go on. */
export type Ask = (
  tx: Tx,
  job: JobRow,
  wanted: { readonly step: string; readonly policy: ApprovalPolicy; readonly outputs: JsonObject },
) => Promise<{ readonly approval: string; readonly until: Date }>;

/**
 * `running → waiting`: no worker is held until the step has what it waits for, or its deadline is over.
 * Returns what for, as words: ` for APR-3`. @throws Refusal when nobody can be asked.
 */
export async function beginWait(
  tx: Tx,
  job: JobRow,
  row: JobStepRow,
  wait: StepWait,
  outputs: JsonObject,
  ask: Ask,
): Promise<string> {
  checkStep(job.ref, job.state, 'waiting');
  const asked =
    wait.kind === 'approval'
      ? await ask(tx, job, { step: row.name, policy: wait.approval, outputs })
      : undefined;
  const until = asked?.until ?? new Date(tx.now.getTime() + lengthOf(wait));
  const { seq } = await emit(tx, job, 'job.waiting', {
    step: row.name,
    for: wait.kind,
    approval: asked?.approval ?? null,
    until: until.toISOString(),
    ran: since(job.runningAt, tx.now),
  });
  await tx.queue.complete(job);
  const waiting = await tx.update(jobs, job, {
    state: 'waiting',
    waitingAt: tx.now,
    // What happened before it began to wait is not what it waits for.
    waitFor: waitOf(wait, seq, asked?.approval ?? ''),
    waitUntil: until,
    ...LET_GO,
    // The job's same try goes on when it is claimed again.
    attempt: job.attempt - 1,
  });
  await tellPause(tx, waiting);
  return waitText(waiting);
}

const note = (tx: Tx, { ref }: JobRow, line: string): Promise<void> =>
  addLines(tx, ref, [{ stream: 'info', line, at: tx.now }]);

const LET_GO = { ticket: null, leaseUntil: null, leaseOwner: null } as const;

function lengthOf(wait: StepWait): number {
  if (wait.kind === 'approval') return wait.approval.timeout;
  return wait.kind === 'event' ? wait.timeout : wait.duration;
}

function waitOf(wait: StepWait, after: number, approval: string): Wait {
  if (wait.kind === 'approval') return { kind: 'approval', approval };
  if (wait.kind === 'event') return { kind: 'event', event: wait.event, when: wait.when, after };
  return { kind: 'time' };
}

/** The step has what it waited for: the job goes on. `told`: as in `finishStep`. Returns false when it no longer waits. */
export async function resume(tx: Tx, job: JobRow, output: Json, told?: Json): Promise<boolean> {
  const row = await stepOf(tx, job);
  if (!row) return false;
  await finishStep(tx, job, row, output, told === undefined ? {} : { told });
  await note(tx, job, `${row.name}: goes on`);
  await goOn(tx, job, {});
  return true;
}

/** The step does not get what it waited for: what was done before is undone. Returns false when it no longer waits. */
export async function giveUpWait(tx: Tx, job: JobRow, reason: string): Promise<boolean> {
  const row = await stepOf(tx, job);
  if (!row) return false;
  await failStep(tx, job, row, reason);
  await note(tx, job, `${row.name}: ${reason}`);
  await turnBack(tx, job, `${row.name}: ${reason}`, {});
  return true;
}

const stepOf = (tx: Tx, job: JobRow): Promise<JobStepRow | undefined> | undefined =>
  job.state === 'waiting' && job.waitFor ? waitingStep(tx, job) : undefined;

async function goOn(tx: Tx, job: JobRow, patch: Patch<typeof jobs>): Promise<JobRow> {
  const queued = await queueJob(tx, job, { runAt: tx.now, waitFor: null, waitUntil: null, ...patch });
  await emit(tx, queued, 'job.queued', { phase: queued.phase });
  await tellPause(tx, queued);
  return queued;
}

async function turnBack(tx: Tx, job: JobRow, reason: string, patch: Patch<typeof jobs>): Promise<JobRow> {
  await emit(tx, job, 'job.compensating', { reason });
  return goOn(tx, job, { phase: 'compensating', error: reason, ...patch });
}

/**
 * Cancels a job whose steps have begun and which nobody runs at the moment: what they did is undone by a worker.
 * @throws Refusal `conflict` when that is going on already; it is not stopped halfway.
 */
export async function cancelSteps(tx: Tx, job: JobRow): Promise<JobRow> {
  checkUndoing(job);
  const row = await stepOf(tx, job);
  if (row) await failStep(tx, job, row, 'cancelled');
  // Its next try is not waited for.
  if (job.state === 'queued') await tx.queue.withdraw(job);
  return turnBack(tx, job, 'cancelled', { cancelRequested: true });
}

/** @throws Refusal `conflict` for a job that is being undone. */
export function checkUndoing({ ref, phase }: JobRow): void {
  if (phase === 'compensating')
    throw new Refusal('conflict', `${ref} is being undone already, and that is not stopped halfway.`);
}
