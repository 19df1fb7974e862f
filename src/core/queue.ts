import type { JobRow } from '../domain/job.ts';

/** What is wanted of the queue, by somebody who can run it. */
export interface Wanted {
  /** The capabilities that the worker offers; a job asks for exactly one. */
  readonly capabilities: readonly string[];
  /** Jobs at most. */
  readonly limit: number;
  /** How many more of a runbook may start, where that is limited; what is not named may start freely. */
  readonly room: ReadonlyMap<string, number>;
  /** Whether jobs of a runbook can be run here, `planned` those that carry their plan with them; all unless told. */
  readonly takes?: (runbook: string, planned: boolean) => boolean;
}

/** A queued job that was handed to a worker. */
export interface Taken {
  /** `jobs.id`. */
  readonly job: string;
  /** The engine's own name for this claim; opaque, kept in `jobs.ticket`. */
  readonly ticket: string | null;
  /** Its row, where the engine has just read it. */
  readonly row?: JobRow;
}

/**
 * What hands queued jobs to workers, inside the caller's transaction. The row of the job is the truth: the engine only
 * decides who gets which job next, and is told when a row becomes queued or a claim ends.
 */
export interface Queue {
  /** Puts a job that becomes queued, not before its `runAt`. Returns the ticket to keep in its row. */
  put(
    job: Pick<JobRow, 'id' | 'runbook' | 'priority' | 'capability' | 'runAt' | 'plan'>,
  ): Promise<string | null>;
  /** Takes jobs that are due: the highest priority first, then those that have waited longest. */
  take(wanted: Wanted): Promise<Taken[]>;
  /** Says that the claims are still worked on. */
  touch(claims: readonly Pick<JobRow, 'ticket' | 'capability'>[]): Promise<void>;
  /** Ends a claim; does nothing where the engine has given the job to somebody else by now. */
  complete(claim: Pick<JobRow, 'ticket' | 'capability'>): Promise<void>;
  /** Takes a job back that nobody has claimed. */
  withdraw(job: Pick<JobRow, 'ticket' | 'capability'>): Promise<void>;
  /** Puts back what is queued by its row and unknown to the engine: restored, or lost there. Returns how many. */
  mend(): Promise<number>;
}
