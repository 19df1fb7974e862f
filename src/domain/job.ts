import { Refusal } from './errors.ts';
import type { FailureClass } from './failure.ts';
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

/** What a job in `waiting` waits for, besides its deadline. */
export type Wait =
  | { readonly kind: 'approval'; readonly approval: string }
  /** A journal event after `after` whose name matches the pattern, and for which the CEL condition holds. */
  | {
      readonly kind: 'event';
      readonly event: string;
      readonly when: string | undefined;
      readonly after: number;
    }
  /** Until `jobs.waitUntil`, which here is no deadline but what is waited for. */
  | { readonly kind: 'time' };

export interface Progress {
  /** 0 to 100, where the job can tell. */
  readonly percent?: number;
  readonly text?: string;
}

/** `40 % Building the image`. */
export const progressText = ({ percent, text: said }: Progress): string =>
  [percent === undefined ? undefined : `${Math.floor(percent)} %`, said].filter(Boolean).join(' ');

/** Where an end is posted to, for others than the receiver: the path and the query may be secrets. */
export const notifyOrigin = (url: string): string => URL.parse(url)?.origin ?? 'unknown';

/** What a run used: units by name (`tokens`, `minutes`) and cost in millionths of the currency, as far as reported. */
export interface Usage {
  readonly units: Readonly<Record<string, number>>;
  readonly cost: number;
}

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
  /** What `leaseUntil` was put off to when the claim was found to be over; renewed since, it is another. */
  graceUntil: maybe(time()),
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
  /** The higher the sooner, from 0 to 9. */
  priority: int(),
  /** What a worker has to offer to be given it. */
  capability: text(),
  /** The engine's name for the queued job or its claim. */
  ticket: maybe(text()),
  /** The key the requester gave, so that asking again gives this job; unique among the requester's own. */
  key: maybe(text()),
  /** With a key: the digest of what was asked for under it. */
  asked: maybe(text()),
  /** What led to it, outermost first: schedules, webhook deliveries, jobs. Its length is the depth. */
  causes: json<readonly string[]>(),
  /** When it last came into each state; `startedAt` is when it first ran, and `endedAt` when it was over. */
  waitingAt: maybe(time()),
  queuedAt: maybe(time()),
  assignedAt: maybe(time()),
  runningAt: maybe(time()),
  /** Set where no proven person asked for it: when it was asked for. */
  causedAt: maybe(time()),
  /** The key of the message that asked for it, by which a repeat of that message is known. */
  inboundKey: maybe(text()),
  /** `compensating`: what its steps did is being undone, backwards. */
  phase: text<'forward' | 'compensating'>(),
  /** Set in `waiting`. */
  waitFor: json<Wait | null>(),
  /** In `waiting`: its deadline, or the time it waits for. */
  waitUntil: maybe(time()),
  /** Why the last try failed, and the bound that was met where one stopped it: `timeout`, `tries.max` … */
  failure: maybe(text<FailureClass>()),
  stoppedBy: maybe(text()),
  progress: json<Progress | null>(),
  usage: json<Usage | null>(),
  /** Where its end is posted to, signed. */
  notify: maybe(text()),
  /** The job that it does again. */
  repeats: maybe(text()),
  /** Everybody who caused it, the requester first, and what the requester's key was narrowed to. */
  chain: json<readonly string[]>(),
  scopes: json<readonly string[]>(),
  /** Set with its first step: the runbook as it was then, which its steps and what undoes them go by to the end. */
  plan: json<Runbook | null>(),
});

/** Where a log line comes from: what the run wrote, what Signalbox says of it, how far it has come. */
export type LogStream = 'out' | 'err' | 'info' | 'progress';

/**
 * Log lines, outside the journal: prunable, with a cursor of their own per job. The id is a zero-padded number that
 * rises with each line of the workspace, so that one reader can follow all jobs.
 */
export const jobLogs = table('job_logs', {
  job: text(),
  cursor: int(),
  stream: text<LogStream>(),
  line: text(),
  at: time(),
});

export type JobRow = Row<typeof jobs>;

const NEXT: Record<JobState, readonly JobState[]> = {
  waiting: ['queued', 'cancelled'],
  queued: ['assigned', 'cancelled'],
  assigned: ['running', 'queued', 'failed', 'cancelled'],
  running: ['succeeded', 'failed', 'queued', 'waiting', 'cancelled'],
  succeeded: [],
  failed: ['queued'],
  cancelled: ['queued'],
};

/** The states in which a worker holds the job. */
export const CLAIMED = ['assigned', 'running'] as const satisfies readonly JobState[];

export const isOver = (state: JobState): boolean => ['succeeded', 'failed', 'cancelled'].includes(state);

/** @throws Refusal `conflict` when the state machine does not know the step. */
export function checkStep(ref: string, from: JobState, to: JobState): void {
  if (!NEXT[from].includes(to))
    throw new Refusal('conflict', `${ref} is ${from}, so it cannot become ${to}.`);
}

/** What a job is bound to: the runbook as it was defined when it was asked for, and its arguments. */
export const jobDigest = (runbook: Runbook, args: JsonObject): string => digest({ runbook, args });

/** Where a job came to its end without success. */
export type Stage = 'claim' | 'start' | 'run' | 'report' | 'compensate';
export const STAGES = ['claim', 'start', 'run', 'report', 'compensate'] as const satisfies readonly Stage[];

/** Characters of a result, as JSON. */
export const MOST_RESULT = 65_536;

/** A file, text or JSON document that a run made. */
export interface Product {
  readonly name: string;
  readonly kind: 'text' | 'json' | 'file';
  readonly mediaType: string;
  /** Text, JSON text, or base64 of a file. */
  readonly content: string;
}

/** How a try ended. Outcomes are values; an exception is the unexpected and counts as `retry`. */
export type Outcome =
  | {
      readonly kind: 'done';
      readonly result: JsonObject;
      readonly usage?: Usage;
      readonly artifacts?: readonly Product[];
    }
  | {
      readonly kind: 'retry';
      readonly reason: string;
      readonly failure?: FailureClass;
      /** The bound that it met: `timeout`, `bounds.outputBytes` … */
      readonly bound?: string;
      readonly after?: number;
      /** Nothing was done: it was held off before it began, which uses up no try. */
      readonly heldOff?: true;
      readonly usage?: Usage;
    }
  | {
      readonly kind: 'fail';
      readonly reason: string;
      readonly failure?: FailureClass;
      readonly bound?: string;
      readonly stage?: Stage;
      readonly result?: JsonObject;
      readonly usage?: Usage;
    }
  /** No worker is held until then; the row already says what for. */
  | { readonly kind: 'wait' /** What its log says of that. */; readonly said?: string }
  | { readonly kind: 'cancelled'; readonly usage?: Usage };
