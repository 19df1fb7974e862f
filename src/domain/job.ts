import { Refusal } from './errors.ts';
import { digest, type JsonObject } from './json.ts';
import type { Runbook } from './runbook.ts';
import { bool, int, json, maybe, table, text, time, type Row } from './table.ts';

export type JobState = 'waiting' | 'queued' | 'assigned' | 'running' | 'succeeded' | 'failed' | 'cancelled';
export const JOB_STATES = [
  'waiting',
  'queued',
  'assigned',
  'running',
  'succeeded',
  'failed',
  'cancelled',
] as const satisfies readonly JobState[];

export const jobs = table('jobs', {
  ref: text(), // JOB-12
  /** A runbook's name, or `probe:<name>`. */
  runbook: text(),
  args: json<JsonObject>(),
  digest: text(),
  state: text<JobState>(),
  requester: text(),
  approval: maybe(text()),
  attempt: int(),
  maxAttempts: int(),
  /** Not before this instant. */
  runAt: time(),
  /** Until when the worker's claim holds; renewed while it runs. */
  leaseUntil: maybe(time()),
  leaseOwner: maybe(text()),
  /** Raised with each claim; a write with an older one is refused, so a lost worker cannot finish a job twice. */
  fence: int(),
  cancelRequested: bool(),
  result: json<unknown>(),
  error: maybe(text()),
  correlationId: text(),
  cause: maybe(text()),
  replyTo: json<unknown>(),
  createdAt: time(),
  startedAt: maybe(time()),
  endedAt: maybe(time()),
});

/**
 * Log lines, outside the journal: prunable, with a cursor of their own per job. The id is a zero-padded number that
 * rises with each line of the workspace, so that one reader can follow all jobs.
 */
export const jobLogs = table('job_logs', {
  job: text(),
  cursor: int(),
  stream: text<'out' | 'err' | 'info'>(),
  line: text(),
  at: time(),
});

export type JobRow = Row<typeof jobs>;

const NEXT: Record<JobState, readonly JobState[]> = {
  waiting: ['queued', 'cancelled'],
  queued: ['assigned', 'cancelled'],
  assigned: ['running', 'queued', 'failed', 'cancelled'],
  running: ['succeeded', 'failed', 'queued', 'cancelled'],
  succeeded: [],
  failed: ['queued'],
  cancelled: ['queued'],
};

export const isOver = (state: JobState): boolean => ['succeeded', 'failed', 'cancelled'].includes(state);

/** @throws Refusal `conflict` when the state machine does not know the step. */
export function checkStep(ref: string, from: JobState, to: JobState): void {
  if (!NEXT[from].includes(to))
    throw new Refusal('conflict', `${ref} is ${from}, so it cannot become ${to}.`);
}

/** What a job is bound to: the runbook as it was defined when it was asked for, and its arguments. */
export const jobDigest = (runbook: Runbook, args: JsonObject): string => digest({ runbook, args });

/** How a try ended. Outcomes are values; an exception is the unexpected and counts as `retry`. */
export type Outcome =
  | { readonly kind: 'done'; readonly result: JsonObject }
  | { readonly kind: 'retry'; readonly reason: string; readonly after?: number }
  | { readonly kind: 'fail'; readonly reason: string; readonly result?: JsonObject }
  | { readonly kind: 'cancelled' };
