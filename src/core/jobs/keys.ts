import { Refusal } from '../../domain/errors.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import { digest } from '../../domain/json.ts';
import type { ReadTx } from '../store.ts';

/** What is asked for under a key of the requester's own. */
export type Asked = Pick<JobRow, 'runbook' | 'args' | 'requester'>;

/**
 * The job that was asked for under this key, if there is one.
 * @throws Refusal `key_reused` when something else was asked for under it, or by somebody else.
 */
export async function existingRun(tx: ReadTx, key: string, asked: Asked): Promise<JobRow | undefined> {
  const row = await tx.get(jobs, { key });
  if (row && content(row) !== content(asked))
    throw new Refusal('key_reused', 'This key was used for another run; use a new key for a new one.');
  return row;
}

/** By name and arguments alone: a runbook that was changed in between makes no other request of it. */
const content = ({ runbook, args, requester }: Asked): string => digest({ runbook, args, requester });
