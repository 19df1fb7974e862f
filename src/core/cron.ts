import { Cron } from 'croner';
import { clip } from '../domain/clip.ts';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';

/** Two runs of a schedule are at least this many milliseconds apart. */
const LEAST = 10 * SECOND;
/** Runs that are looked at for that: more than a cron expression has between two hours. */
const LOOKED_AT = 60;
const NICKNAME = /^@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)$/i;

/** The times of a cron expression in a time zone. */
export interface Times {
  /** The first time after an instant; undefined when there is none. */
  after(instant: Date): Date | undefined;
  /** The next times after an instant, at most `count`. */
  next(instant: Date, count: number): Date[];
  /** The last times up to an instant, that one included, oldest first, at most `count`. */
  upTo(instant: Date, count: number): Date[];
}

/**
 * Reads a cron expression of five fields, or six with the seconds first. Where the clocks are put forward, what falls
 * into the hour that is left out runs at its end; where they are put back, what names a time of day runs once and what
 * runs every so often goes on doing so.
 * @throws Refusal `invalid_argument` that says what was expected: also for a zone that does not exist, an expression that
 * never comes true, and one that runs more often than every ten seconds.
 */
export function cronTimes(expression: string, zone: string, now: Date): Times {
  const times = timesOf(expression, zone);
  const coming = times.next(now, LOOKED_AT);
  if (coming.length === 0)
    throw new Refusal('invalid_argument', `cron: "${shown(expression)}" never comes true.`);
  const close = coming.find((time, i) => time.getTime() - (coming[i - 1]?.getTime() ?? 0) < LEAST);
  if (close)
    throw new Refusal(
      'invalid_argument',
      `cron: expected at least ${LEAST / SECOND} s between two runs, and "${shown(expression)}" has less.`,
    );
  return times;
}

/** The same of what was checked before. */
export function timesOf(expression: string, zone: string): Times {
  checkZone(zone);
  const fields = expression.trim().split(/\s+/).length;
  if (fields !== 5 && fields !== 6 && !NICKNAME.test(expression.trim())) throw malformed(expression);
  let cron: Cron;
  try {
    cron = new Cron(expression, { timezone: zone, mode: '5-or-6-parts', paused: true });
  } catch (cause) {
    throw malformed(expression, cause);
  }
  /** croner 11.0.0 passes over the first days of a month that follows one without a day 29 to 31; looking back it does not. */
  const after = (instant: Date): Date | undefined => {
    let found = cron.nextRun(instant) ?? undefined;
    for (let before = found; before && before > instant; [before] = cron.previousRuns(1, before))
      found = before;
    return found;
  };
  const next = (instant: Date, count: number): Date[] => {
    const first = count > 0 ? after(instant) : undefined;
    return first ? [first, ...next(first, count - 1)] : [];
  };
  return {
    after,
    next,
    upTo: (instant, count) => {
      // croner looks before the second it is given.
      const before = cron.previousRuns(count + 1, new Date(instant.getTime() + SECOND));
      return before
        .filter((time) => time <= instant)
        .slice(0, count)
        .toReversed();
    },
  };
}

/** @throws Refusal `invalid_argument`. */
function checkZone(zone: string): void {
  try {
    Intl.DateTimeFormat('en', { timeZone: zone });
  } catch (cause) {
    throw new Refusal(
      'invalid_argument',
      `zone: expected a time zone such as Europe/Berlin or UTC, got "${shown(zone)}".`,
      { cause },
    );
  }
}

function malformed(expression: string, cause?: unknown): Refusal {
  const why =
    cause instanceof Error ? ` (${cause.message.replace(/^CronPattern: /, '').replace(/\.$/, '')})` : '';
  return new Refusal(
    'invalid_argument',
    `cron: expected five fields, minute hour day month weekday, or six with the seconds first, such as "0 3 * * *"; got "${shown(expression)}"${why}.`,
    { cause },
  );
}

const shown = (text: string): string => clip(text, 60);
