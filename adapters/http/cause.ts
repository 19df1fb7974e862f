import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../src/domain/errors.ts';

/**
 * The job that led to a request, as `Signalbox-Cause` says: proven by nothing, so it can only make a chain longer.
 * @throws Refusal `malformed` for what is no job's id.
 */
export function causeOf({ headersDistinct }: IncomingMessage): string | undefined {
  const values = headersDistinct['signalbox-cause'];
  if (values === undefined) return undefined;
  const [job = ''] = values;
  if (values.length > 1 || !/^JOB-\d{1,15}$/.test(job))
    throw new Refusal('malformed', 'Signalbox-Cause takes the id of one job, such as JOB-12.');
  return job;
}
