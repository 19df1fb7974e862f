import { Refusal } from '../../domain/errors.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import { digest, type JsonObject } from '../../domain/json.ts';
import type { ReadTx } from '../store.ts';

/** A name of the requester's own for what is asked for: asking again with it gives the same job. */
export interface Key {
  readonly name: string;
  /** The digest of all that is asked for under it. */
  readonly asked: string;
}

/** `wish`: what is asked for, as it was given: times that are reckoned from now would be others at the next asking. */
export const keyOf = (name: string, wish: JsonObject): Key => ({ name, asked: digest(wish) });

/**
 * The job that this requester asked for under this key, if there is one. Others have keys of their own.
 * @throws Refusal `key_reused` when something else was asked for under it.
 */
export async function existingRun(
  tx: ReadTx,
  requester: string,
  { name, asked }: Key,
): Promise<JobRow | undefined> {
  const row = await tx.get(jobs, { requester, key: name });
  if (row && row.asked !== asked)
    throw new Refusal(
      'key_reused',
      `This key was used for ${row.ref}, with other arguments or wishes; use a new key for a new run.`,
    );
  return row;
}
