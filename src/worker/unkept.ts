import { Refusal } from '../domain/errors.ts';
import type { Outcome } from '../domain/job.ts';

/** Not the database's fault, and no better the next time: what the try came to cannot be written as it is. */
export const isUnfit = (error: unknown): error is Refusal =>
  error instanceof Refusal && ['invalid_argument', 'malformed', 'too_large'].includes(error.code);

/** What is written instead. */
export const unkept = ({ message }: Refusal): Outcome => ({
  kind: 'fail',
  stage: 'report',
  reason: `what it came to cannot be kept: ${message}`,
});
