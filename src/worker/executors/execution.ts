import type { Clock } from '../../domain/clock.ts';
import type { Outcome } from '../../domain/job.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Probe } from '../../domain/probe.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { GuardedFetch } from '../guard.ts';

/** One try of one job. */
export interface Execution {
  /** As they were approved; already valid by the runbook's schema. */
  readonly args: JsonObject;
  readonly runbook: Runbook;
  /** From 1. */
  readonly attempt: number;
  /** The same on every try of the same job, so that the far side can tell a repeat. */
  readonly idempotencyKey: string;
  /** Aborted when the job is cancelled or no longer ours. The time-out is the executor's own. */
  readonly signal: AbortSignal;
  /** A line for the job's log, without its line break and without secrets. */
  log(stream: 'out' | 'err' | 'info', line: string): void;
}

export interface ExecutorDeps {
  readonly fetch: GuardedFetch;
  /** Where `${env:NAME}` and PATH come from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** The origin that this server listens on, for `${self}`. */
  readonly self?: string;
  readonly probes: ReadonlyMap<string, Probe>;
  /** Milliseconds between SIGTERM and SIGKILL; 2,000 unless told. */
  readonly killGrace?: number;
}

/** Runs one try and tells how it ended. Rejects only on what nobody foresaw; that counts as a retry. */
export type Executor = (execution: Execution, deps: ExecutorDeps) => Promise<Outcome>;
