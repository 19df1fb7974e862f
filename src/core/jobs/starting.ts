import { Refusal } from '../../domain/errors.ts';
import { jobDigest, type JobRow } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import { runbookArgs } from '../runbook-args.ts';

/** Why a claimed job cannot start under the configuration of now; undefined where it can. */
export function obstacle(job: JobRow, runbook: Runbook | undefined): string | undefined {
  if (!runbook) return `the configuration no longer defines ${job.runbook}`;
  // What was approved is what runs, also at a later try and after a restart with another configuration.
  if (job.approval !== null && jobDigest(runbook, job.args) !== job.digest)
    return `${job.runbook} was changed since ${job.approval} was given; ask again`;
  try {
    runbookArgs(runbook, job.args);
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `its arguments are no longer what ${job.runbook} takes: ${error.message}`;
  }
}
