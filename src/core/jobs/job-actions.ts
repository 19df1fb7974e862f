import { isOver, type JobRow } from '../../domain/job.ts';
import type { Action } from '../message.ts';

/** Lines of the log that are shown on demand. */
const TAIL = 20;

/**
 * What can be done about a job where it is told of: stop it, unless it is being undone, which is not stopped halfway; try
 * it again, as another job where each run takes an approval of its own; look at what it last said.
 */
export function jobActions({ ref: id, state, phase, approval }: JobRow): readonly Action[] {
  const log: Action = { label: 'Log', invocation: { command: 'job.logs', args: { id, tail: TAIL } } };
  if (state === 'succeeded') return [log];
  // What could not be undone is tried again within the same job.
  if (isOver(state) && approval !== null && phase !== 'compensating')
    return [{ label: 'Run again', invocation: { command: 'job.run', args: { again: id } } }, log];
  if (isOver(state))
    return [{ label: 'Retry', style: 'primary', invocation: { command: 'job.retry', args: { id } } }, log];
  if (phase === 'compensating') return [log];
  return [{ label: 'Cancel', style: 'danger', invocation: { command: 'job.cancel', args: { id } } }, log];
}
