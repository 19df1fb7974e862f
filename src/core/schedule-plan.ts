import { DAY, MINUTE } from '../domain/clock.ts';
import type { ScheduleRow } from '../domain/schedule.ts';
import { timesOf, type Times } from './cron.ts';

/** A run that is not later than this is on time, in milliseconds; what is later was missed. */
const ON_TIME = MINUTE;
/** A clock that is put back by no more than this repeats no run, in milliseconds; what ran later was never the time. */
const PUT_BACK = DAY;
/** Missed runs that are made up for at most, the latest ones. */
export const MOST_MISSED = 100;

/** What is to be done of a schedule that is due. */
export interface Plan {
  /** The time that is run now, of which there is one at most. */
  readonly run: Date | undefined;
  /** The instant by which `friday` is read: the time that is run, or now where one run stands for those that were missed. */
  readonly asOf: Date;
  /** The next time, which may have come already; null when there is none. */
  readonly next: Date | null;
  /** Times that nobody was there to run and that are not made up for; `MOST_MISSED + 1` stands for more than the most. */
  readonly missed: number;
}

/** Decides by the schedule's policy for missed runs; `null` when it is not due. */
export function planOf(
  schedule: Pick<ScheduleRow, 'cron' | 'zone' | 'missed' | 'nextAt'>,
  now: Date,
): Plan | null {
  const { cron, zone, missed, nextAt: due } = schedule;
  if (due === null || due > now) return null;
  const onTime = (time: Date) => now.getTime() - time.getTime() <= ON_TIME;
  if (cron === null) {
    const run = missed !== 'skip' || onTime(due) ? due : undefined;
    return { run, asOf: missed === 'all' || onTime(due) ? due : now, next: null, missed: run ? 0 : 1 };
  }
  const times = timesOf(cron, zone);
  // As the zone's rules are today; those that the time was worked out by may have been others.
  const latest = later(times.upTo(now, 1)[0], due);
  const passed = countFrom(times, due, now);
  if (missed === 'all') return oneOfAll(times, due, now, passed);
  const run = missed === 'one' || onTime(latest) ? latest : undefined;
  const asOf = onTime(latest) ? latest : now;
  return { run, asOf, next: times.after(now) ?? null, missed: passed - (run ? 1 : 0) };
}

/** Each of them, one after another; where there are too many, the latest. */
function oneOfAll(times: Times, due: Date, now: Date, passed: number): Plan {
  const run = passed > MOST_MISSED ? later(times.upTo(now, MOST_MISSED)[0], due) : due;
  return {
    run,
    asOf: run,
    next: times.after(run) ?? null,
    missed: run > due ? countFrom(times, due, new Date(run.getTime() - 1)) : 0,
  };
}

/**
 * The time that comes before the one a schedule waits for; undefined where none does. There is one when the clock ran
 * ahead, times were used up on its word, and it came back; or when the rules of the zone have changed.
 */
export function sooner(
  { cron, zone, nextAt, lastAt }: Pick<ScheduleRow, 'cron' | 'zone' | 'nextAt' | 'lastAt'>,
  now: Date,
): Date | undefined {
  if (cron === null || nextAt === null) return undefined;
  const ran = lastAt !== null && lastAt.getTime() - now.getTime() <= PUT_BACK ? lastAt : undefined;
  const next = timesOf(cron, zone).after(later(ran, now));
  return next && next < nextAt ? next : undefined;
}

/** How many times there are from one that is due up to an instant. */
function countFrom(times: Times, due: Date, until: Date): number {
  let count = 0;
  for (
    let time: Date | undefined = due;
    time && time <= until && count <= MOST_MISSED;
    time = times.after(time)
  )
    count += 1;
  return count;
}

const later = (one: Date | undefined, other: Date): Date => (one && one > other ? one : other);
