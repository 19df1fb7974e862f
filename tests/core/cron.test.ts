import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cronTimes, timesOf } from '../../src/core/cron.ts';
import { DAY } from '../../src/domain/clock.ts';

const now = new Date('2026-03-02T09:00:00Z');
const iso = (times: readonly Date[]) => times.map((time) => time.toISOString().slice(0, 16));
const next = (cron: string, zone: string, from: string, count = 3) =>
  iso(cronTimes(cron, zone, now).next(new Date(from), count));

test('five fields, or six with the seconds first, in the zone that is named', () => {
  expect(next('0 3 * * *', 'UTC', '2026-03-02T09:00:00Z', 2)).toEqual([
    '2026-03-03T03:00',
    '2026-03-04T03:00',
  ]);
  expect(next('0 3 * * *', 'Europe/Berlin', '2026-03-02T09:00:00Z', 1)).toEqual(['2026-03-03T02:00']);
  expect(next('0 0 3 * * *', 'UTC', '2026-03-02T09:00:00Z', 1)).toEqual(['2026-03-03T03:00']);
  expect(next('@hourly', 'UTC', '2026-03-02T09:00:00Z', 2)).toEqual(['2026-03-02T10:00', '2026-03-02T11:00']);
  expect(next('0 9 * * mon', 'America/New_York', '2026-03-02T09:00:00Z', 1)).toEqual(['2026-03-02T14:00']);
});

describe('where the clocks of Berlin change', () => {
  test('forward, what falls into the hour that is left out runs at its end, once', () => {
    // 02:30 does not exist on 29 March 2026; 03:00 there is 01:00 UTC.
    expect(next('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z')).toEqual([
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
  });

  test('back, a time of day runs once, and what runs every half hour goes on doing so', () => {
    // 02:30 comes twice on 25 October 2026: at 00:30 and at 01:30 UTC.
    expect(next('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
      '2026-10-27T01:30',
    ]);
    expect(next('*/30 * * * *', 'Europe/Berlin', '2026-10-25T00:00:00Z', 4)).toEqual([
      '2026-10-25T00:30',
      '2026-10-25T01:00',
      '2026-10-25T01:30',
      '2026-10-25T02:00',
    ]);
  });
});

test('looks back as far as it is asked to, the instant itself included', () => {
  const times = cronTimes('0 * * * *', 'UTC', now);
  expect(iso(times.upTo(now, 2))).toEqual(['2026-03-02T08:00', '2026-03-02T09:00']);
  expect(times.after(now)).toEqual(new Date('2026-03-02T10:00:00Z'));
});

describe('leaves out no day', () => {
  test('where a month follows one that is too short', () => {
    expect(next('0 3 1,31 * *', 'UTC', '2027-02-02T00:00:00Z', 2)).toEqual([
      '2027-03-01T03:00',
      '2027-03-31T03:00',
    ]);
    expect(next('0 3 */15 * *', 'Europe/Berlin', '2027-02-20T00:00:00Z', 1)).toEqual(['2027-03-01T02:00']);
  });

  test('whatever the days and months', () => {
    const list = (max: number) => fc.uniqueArray(fc.integer({ min: 1, max }), { minLength: 1, maxLength: 4 });
    const dayOfYear = fc.integer({ min: 0, max: 3 * 366 });
    fc.assert(
      fc.property(list(31), list(12), dayOfYear, (days, months, skipped) => {
        const from = new Date(Date.UTC(2026, 0, 1 + skipped, 12));
        const expected: Date[] = [];
        for (let at = from.getTime() + 15 * 3_600_000; at < from.getTime() + 800 * DAY; at += DAY) {
          const day = new Date(at);
          if (days.includes(day.getUTCDate()) && months.includes(day.getUTCMonth() + 1)) expected.push(day);
        }
        const first = expected.slice(0, 5);
        expect(timesOf(`0 3 ${days.join()} ${months.join()} *`, 'UTC').next(from, first.length)).toEqual(
          first,
        );
      }),
      { numRuns: 200 },
    );
  });

  test('looking ahead and looking back, in any zone', () => {
    const fields = fc.tuple(
      fc.constantFrom('0', '30', '*/20', '15,45'),
      fc.constantFrom('*', '2', '1-3', '*/6', '0'),
      fc.constantFrom('*', '1,31', '*/15', '29', 'L'),
      fc.constantFrom('*', '2,3', '*/5', '10'),
      fc.constantFrom('*', 'sun', '1-5', '1#1'),
    );
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
    const instant = fc.date({
      min: new Date('2026-01-01'),
      max: new Date('2029-01-01'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(fields, zones, instant, (cron, zone, from) => {
        const times = timesOf(cron.join(' '), zone);
        const found = times.after(from);
        if (!found) return;
        expect(times.upTo(found, 1)).toEqual([found]);
        const before = times.upTo(new Date(found.getTime() - 1), 1)[0];
        expect(before === undefined || before <= from).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

test.each([
  ['', 'UTC', 'cron: expected five fields'],
  ['* * * *', 'UTC', 'got "* * * *"'],
  ['61 * * * *', 'UTC', 'Invalid value for minute: 61'],
  ['a b c d e', 'UTC', 'cron: expected five fields'],
  ['0 0 3 * * * 2027', 'UTC', 'cron: expected five fields'],
  ['2026-01-01T00:00:00', 'UTC', 'cron: expected five fields'],
  ['@reboot', 'UTC', 'cron: expected five fields'],
  ['0 0 30 2 *', 'UTC', '"0 0 30 2 *" never comes true'],
  ['* * * * * *', 'UTC', 'at least 10 s between two runs'],
  ['0,5 0 * * * *', 'UTC', 'at least 10 s between two runs'],
  ['0 3 * * *', 'Mars/Base', 'zone: expected a time zone such as Europe/Berlin or UTC, got "Mars/Base"'],
])('refuses %j in %s', (cron, zone, message) => {
  expect(() => cronTimes(cron, zone, now)).toThrow(message);
});
