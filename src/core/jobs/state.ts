import type { Address } from '../message.ts';
import { enqueue } from '../outgoing.ts';
import type { Wanted } from '../queue.ts';
import type { Tx } from '../store.ts';
import { checkStep, jobs, type JobRow, type Outcome } from '../../domain/job.ts';
import { DAY } from '../../domain/clock.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { probeStates } from '../../domain/probe.ts';
import { redact, redactText } from '../../domain/redact.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { Patch } from '../../domain/table.ts';

/** Milliseconds that a claim holds unless it is renewed. */
export const LEASE = 30_000;
/** What a far side may ask to wait before the next try. */
const LONGEST_WAIT = DAY;

const lease = (tx: Tx): Date => new Date(tx.now.getTime() + LEASE);

async function emit(tx: Tx, row: JobRow, event: string, details: JsonObject): Promise<void> {
  const { ref: target, correlationId, cause, runbook } = row;
  await tx.append({ event, actor: 'system', target, correlationId, cause, details: { runbook, ...details } });
}

/** Makes a job `queued`, not before its `runAt` or the patch's, and hands it to the engine. */
export async function queueJob(tx: Tx, row: JobRow, patch: Patch<typeof jobs>): Promise<JobRow> {
  const ticket = await tx.queue.put({ ...row, ...patch });
  return tx.update(jobs, row, { ...patch, state: 'queued', queuedAt: tx.now, ticket });
}

/** Takes due jobs for this worker, at most as many as are wanted. */
export async function claim(tx: Tx, owner: string, wanted: Wanted): Promise<JobRow[]> {
  const taken = await tx.queue.take(wanted);
  if (taken.length === 0) return [];
  const rows = await tx.find(jobs, { where: { id: { in: taken.map((t) => t.job) } } });
  const byId = new Map(rows.map((row) => [row.id, row]));
  const claimed: JobRow[] = [];
  for (const { job, ticket } of taken) {
    const row = byId.get(job);
    // What is no longer queued was withdrawn from the table, which is the truth.
    if (row?.state !== 'queued') continue;
    const mine = await tx.update(jobs, row, {
      state: 'assigned',
      attempt: row.attempt + 1,
      leaseOwner: owner,
      leaseUntil: lease(tx),
      fence: row.fence + 1,
      assignedAt: tx.now,
      ticket,
    });
    await emit(tx, mine, 'job.assigned', { attempt: mine.attempt });
    claimed.push(mine);
  }
  return claimed;
}

/** The job as it stands, if the claim with this fence still holds. */
async function held(tx: Tx, claimed: JobRow): Promise<JobRow | undefined> {
  const row = await tx.get(jobs, { id: claimed.id });
  return row?.fence === claimed.fence && (row.state === 'assigned' || row.state === 'running')
    ? row
    : undefined;
}

/** `assigned → running`; undefined when the claim was lost or the job cancelled in between. */
export async function begin(tx: Tx, claimed: JobRow): Promise<JobRow | undefined> {
  const row = await held(tx, claimed);
  if (!row) return undefined;
  if (row.cancelRequested) {
    await end(tx, row, { kind: 'cancelled' }, undefined);
    return undefined;
  }
  checkStep(row.ref, row.state, 'running');
  const running = await tx.update(jobs, row, {
    state: 'running',
    startedAt: row.startedAt ?? tx.now,
    leaseUntil: lease(tx),
  });
  await emit(tx, running, 'job.started', { attempt: running.attempt });
  return running;
}

/** Renews the claims of running jobs; returns the ids of those that are to be stopped: cancelled, or lost. */
export async function renew(tx: Tx, claims: readonly JobRow[]): Promise<string[]> {
  const rows = await tx.find(jobs, { where: { id: { in: claims.map((c) => c.id) } } });
  const byId = new Map(rows.map((row) => [row.id, row]));
  const stop: string[] = [];
  const renewed: JobRow[] = [];
  for (const claimed of claims) {
    const row = byId.get(claimed.id);
    const ours = row?.fence === claimed.fence && (row.state === 'assigned' || row.state === 'running');
    if (!ours || row.cancelRequested) stop.push(claimed.id);
    else if (row.leaseUntil && row.leaseUntil.getTime() - tx.now.getTime() < LEASE / 2)
      renewed.push(await tx.update(jobs, row, { leaseUntil: lease(tx) }));
  }
  if (renewed.length > 0) await tx.queue.touch(renewed);
  return stop;
}

/** How long to wait before the next try: exponential with full jitter, in milliseconds. */
export function backoff(
  { backoff: first, cap }: Runbook['tries'],
  attempt: number,
  random: () => number,
): number {
  return Math.round(random() * Math.min(cap, first * 2 ** (attempt - 1)));
}

/** Writes how a try ended. Returns false when the claim was lost, in which case nothing is written. */
export async function finish(
  tx: Tx,
  claimed: JobRow,
  runbook: Runbook | undefined,
  outcome: Outcome,
  random: () => number,
): Promise<boolean> {
  const row = await held(tx, claimed);
  if (!row) return false;
  if (outcome.kind === 'retry' && row.attempt < row.maxAttempts && !row.cancelRequested && runbook) {
    const asked = outcome.after === undefined ? undefined : Math.min(outcome.after, LONGEST_WAIT);
    const wait = asked ?? backoff(runbook.tries, row.attempt, random);
    await requeue(tx, row, redactText(outcome.reason), wait);
    return true;
  }
  await end(tx, row, outcome, runbook);
  return true;
}

async function requeue(tx: Tx, row: JobRow, reason: string, wait: number): Promise<void> {
  const runAt = new Date(tx.now.getTime() + wait);
  await tx.queue.complete(row);
  const queued = await queueJob(tx, row, { runAt, leaseUntil: null, leaseOwner: null, error: reason });
  await emit(tx, queued, 'job.retrying', { attempt: row.attempt, reason, runAt: runAt.toISOString() });
}

async function end(tx: Tx, row: JobRow, outcome: Outcome, runbook: Runbook | undefined): Promise<void> {
  const cancelled = outcome.kind === 'cancelled' || (outcome.kind !== 'done' && row.cancelRequested);
  const state = cancelled ? 'cancelled' : outcome.kind === 'done' ? 'succeeded' : 'failed';
  checkStep(row.ref, row.state === 'assigned' ? 'running' : row.state, state);
  const error = outcome.kind === 'retry' || outcome.kind === 'fail' ? redactText(outcome.reason) : null;
  const result =
    outcome.kind === 'done' || outcome.kind === 'fail' ? redact<Json>(outcome.result ?? null) : null;
  await tx.queue.complete(row);
  const ended = await tx.update(jobs, row, {
    state,
    ticket: null,
    error,
    result,
    endedAt: tx.now,
    leaseUntil: null,
    leaseOwner: null,
  });
  await emit(tx, ended, `job.${state}`, { attempt: row.attempt, error, result });
  if (runbook?.executor.kind === 'probe' && outcome.kind === 'done') {
    await recordProbe(tx, ended, runbook.executor.probe, outcome.result);
  }
  if (row.replyTo) {
    const text = [`${row.ref} ${state}: ${row.runbook}`, error, outcome.kind === 'done' && summary(result)]
      .filter(Boolean)
      .join('\n');
    await enqueue(tx, {
      key: `job:${row.ref}:${row.attempt}:end`,
      address: row.replyTo as Address,
      reply: { text },
    });
  }
}

function summary(result: Json): string | undefined {
  const text = JSON.stringify(result);
  return text === '{}' ? undefined : text.slice(0, 1_000);
}

/** A sample replaces the last one; only a change of state is an entry in the journal. */
async function recordProbe(tx: Tx, job: JobRow, probe: string, result: JsonObject): Promise<void> {
  const state = result['state'] === 'ok' ? 'ok' : 'failed';
  const before = await tx.get(probeStates, { id: probe });
  const changed = before?.state !== state;
  const failures = (result['failures'] ?? []) as readonly string[];
  const sample = {
    state,
    since: before && !changed ? before.since : tx.now,
    checkedAt: tx.now,
    latency: Math.round(Number(result['latency'] ?? 0)),
    failures,
    observation: result,
  } as const;
  if (before) await tx.update(probeStates, before, sample);
  else await tx.insert(probeStates, { id: probe, ...sample });
  if (changed) {
    const { correlationId } = job;
    const details = { job: job.ref, from: before?.state ?? 'unknown', failures, latency: sample.latency };
    await tx.append({
      event: `probe.${state}`,
      actor: 'system',
      target: probe,
      correlationId,
      cause: job.cause,
      details,
    });
  }
}

/** Jobs whose worker is gone: back to the queue, or failed when no try is left. Returns how many. */
export async function recover(tx: Tx): Promise<number> {
  const lost = await tx.find(jobs, {
    where: { state: { in: ['assigned', 'running'] }, leaseUntil: { below: tx.now } },
    limit: 100,
  });
  for (const row of lost) {
    const reason = 'the worker that ran it was lost';
    if (row.cancelRequested) await end(tx, row, { kind: 'cancelled' }, undefined);
    else if (row.attempt < row.maxAttempts) await requeue(tx, row, reason, 0);
    else await end(tx, row, { kind: 'fail', reason }, undefined);
  }
  return lost.length;
}

/**
 * Gives a claim back when its worker stops. What has begun may have had effects, so the try counts: the job goes on
 * where tries are left and fails where none is. Returns false when the claim was lost.
 */
export async function giveBack(tx: Tx, claimed: JobRow): Promise<boolean> {
  const row = await held(tx, claimed);
  if (!row) return false;
  const reason = 'its worker was stopped while it ran';
  if (row.cancelRequested) await end(tx, row, { kind: 'cancelled' }, undefined);
  else if (row.attempt < row.maxAttempts) await requeue(tx, row, reason, 0);
  else await end(tx, row, { kind: 'fail', reason }, undefined);
  return true;
}
