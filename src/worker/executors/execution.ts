import type { Sandbox } from '../../domain/catalog.ts';
import type { Clock } from '../../domain/clock.ts';
import type { Effect } from '../../domain/effect.ts';
import type { Outcome, Progress } from '../../domain/job.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Probe } from '../../domain/probe.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { Breakers } from '../breakers.ts';
import type { GuardedFetch } from '../guard.ts';
import type { Warden } from './warden.ts';

/** One try of one job. */
export interface Execution {
  /** As they were approved; already valid by the runbook's schema. */
  readonly args: JsonObject;
  readonly runbook: Runbook;
  /** From 1. */
  readonly attempt: number;
  /** 64 hex digits: the same on every try of the same job and step, so that the far side can tell a repeat. */
  readonly idempotencyKey: string;
  /** The job, as `Signalbox-Cause` tells the far side: what comes back with it is known to be caused by it. */
  readonly cause: string;
  /** Aborted when the job is cancelled or no longer ours. The time-out is the executor's own. */
  readonly signal: AbortSignal;
  /** A line for the job's log, without its line break and without secrets. */
  log(stream: 'out' | 'err' | 'info', line: string): void;
  /** How far it has come; only the newest counts. */
  progress(progress: Progress): void;
  /** To be called once for each thing that was done outside, however it ended: its receipt is kept with the try. */
  effect(effect: Effect): void;
}

export interface ExecutorDeps {
  readonly fetch: GuardedFetch;
  /** Where `${env:NAME}` and PATH come from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** The origin that this server listens on, for `${self}`. */
  readonly self?: string;
  readonly probes: ReadonlyMap<string, Probe>;
  /** Absent: no destination is ever held off. */
  readonly breakers?: Breakers;
  readonly sandbox?: Sandbox | undefined;
  /** Ends what programs leave running when this process is killed; absent: they are left. */
  readonly warden?: Warden;
  /** Milliseconds between SIGTERM and SIGKILL; 2,000 unless told. */
  readonly killGrace?: number;
}

/** Runs one try and tells how it ended. Rejects only on what nobody foresaw; that counts as a retry. */
export type Executor = (execution: Execution, deps: ExecutorDeps) => Promise<Outcome>;
