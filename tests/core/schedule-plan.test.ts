import { expect, test } from 'vitest';
import { MOST_MISSED, planOf } from '../../src/core/schedule-plan.ts';

const at = (time: string) => new Date(`2026-03-02T${time}Z`);
const hourly = { cron: '0 * * * *', zone: 'UTC', missed: 'skip', nextAt: at('09:00:00') } as const;
const once = { ...hourly, cron: null };

test('nothing before its time', () => {
  expect(planOf(hourly, at('08:59:59'))).toBeNull();
  expect(planOf({ ...hourly, nextAt: null }, at('09:00:00'))).toBeNull();
});

test('on time, up to a minute late', () => {
  for (const now of ['09:00:00', '09:01:00'])
    expect(planOf(hourly, at(now))).toEqual({
      run: at('09:00:00'),
      asOf: at('09:00:00'),
      next: at('10:00:00'),
      missed: 0,
    });
});

test('skip leaves out what was missed, but not the one that is on time', () => {
  expect(planOf(hourly, at('11:30:00'))).toMatchObject({ run: undefined, next: at('12:00:00'), missed: 3 });
  expect(planOf(hourly, at('11:00:05'))).toMatchObject({
    run: at('11:00:00'),
    next: at('12:00:00'),
    missed: 2,
  });
});

test('one runs once for all', () => {
  expect(planOf({ ...hourly, missed: 'one' }, at('11:30:00'))).toEqual({
    run: at('11:00:00'),
    // One run for all of them is for now.
    asOf: at('11:30:00'),
    next: at('12:00:00'),
    missed: 2,
  });
});

test('all runs each, the latest hundred where there are more', () => {
  const all = { ...hourly, missed: 'all' } as const;
  expect(planOf(all, at('11:30:00'))).toEqual({
    run: at('09:00:00'),
    asOf: at('09:00:00'),
    next: at('10:00:00'),
    missed: 0,
  });
  const later = new Date('2026-03-12T09:00:00Z'); // 241 of them
  const plan = planOf(all, later);
  expect(plan).toMatchObject({ run: new Date('2026-03-08T06:00:00Z'), missed: MOST_MISSED + 1 });
  let left = 0;
  for (
    let next = plan?.run;
    next && next <= later;
    next = planOf({ ...all, nextAt: next }, later)?.next ?? undefined
  )
    left += 1;
  expect(left).toBe(MOST_MISSED);
});

test('a single time runs, or is over', () => {
  expect(planOf(once, at('09:00:30'))).toMatchObject({ run: at('09:00:00'), next: null, missed: 0 });
  expect(planOf(once, at('12:00:00'))).toMatchObject({ run: undefined, next: null, missed: 1 });
  expect(planOf({ ...once, missed: 'one' }, at('12:00:00'))).toEqual({
    run: at('09:00:00'),
    asOf: at('12:00:00'),
    next: null,
    missed: 0,
  });
});
