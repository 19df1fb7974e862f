import { setTimeout } from 'node:timers/promises';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import type { Outcome } from '../domain/job.ts';

/** Between two tries, in milliseconds. Short, so that whoever did it tells so before others take it for lost. */
const FIRST = SECOND / 10;
const LONGEST = SECOND;
/** Tries of what fails for a reason that nobody foresaw. */
const MOST = 8;

/**
 * Writes down what has happened outside, however long the database is away: to forget it would be to do it again. Only
 * `giveUp` ends that, after one more try. `write` is to find out itself whether what it writes is still wanted, and
 * `again` whether it took place already: of one that was tried before the answer may have been lost.
 * @throws what is wrong with it, and not with the database.
 */
export async function insist<T>(write: (again: boolean) => Promise<T>, giveUp: AbortSignal): Promise<T> {
  for (let tries = 1, wait = FIRST; ; tries += 1, wait = Math.min(2 * wait, LONGEST)) {
    try {
      return await write(tries > 1);
    } catch (error) {
      const away = error instanceof Refusal ? error.code === 'unavailable' : tries < MOST;
      if (!away || giveUp.aborted) throw error;
      await setTimeout(wait, undefined, { signal: giveUp }).catch(() => undefined);
    }
  }
}

/** The same of what a try came to; where that cannot be kept as it is, of a failure that says so. */
export async function insistOn<T>(
  outcome: Outcome,
  write: (outcome: Outcome, again: boolean) => Promise<T>,
  giveUp: AbortSignal,
): Promise<T> {
  try {
    return await insist((again) => write(outcome, again), giveUp);
  } catch (error) {
    if (!isUnfit(error)) throw error;
    const reason = `what it came to cannot be kept: ${error.message}`;
    return insist((again) => write({ kind: 'fail', stage: 'report', reason }, again), giveUp);
  }
}

/** Not the database's fault, and no better the next time. */
const isUnfit = (error: unknown): error is Refusal =>
  error instanceof Refusal && ['invalid_argument', 'malformed', 'too_large'].includes(error.code);
