import { describe, expect, test } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import {
  addToTotal,
  addUsage,
  endOf,
  money,
  periodOf,
  readMoney,
  readUsage,
  usageText,
  usageView,
} from '../../src/domain/usage.ts';

describe('a report', () => {
  test('is an amount for each unit, and a cost in the currency', () => {
    expect(readUsage({ tokens: 1200, gpu_minutes: 0.5, cost: 0.012 })).toEqual({
      units: { tokens: 1200, gpu_minutes: 0.5 },
      cost: 12_000,
    });
    expect(readUsage({ cost: '12.50' })).toEqual({ units: {}, cost: 12_500_000 });
    expect(readUsage({})).toEqual({ units: {}, cost: 0 });
  });

  const units = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`u${n}`, 1]));
  test.each<[string, unknown, string]>([
    ['nothing', null, 'expected an object'],
    ['a list', [1], 'expected an object'],
    ['a number', 12, 'expected an object'],
    ['a negative cost', { cost: -1 }, 'cost: expected an amount'],
    ['a cost that is none', { cost: '1e3' }, 'cost: expected an amount'],
    ['a cost of too many decimals', { cost: '0.0000001' }, 'cost: expected an amount'],
    ['an endless cost', { cost: Number.POSITIVE_INFINITY }, 'cost: expected an amount'],
    ['a cost beyond what is exact', { cost: 1e10 }, 'cost: expected an amount'],
    ['a negative amount', { tokens: -1 }, 'tokens: expected a number'],
    ['no number', { tokens: '12' }, 'tokens: expected a number'],
    ['NaN', { tokens: Number.NaN }, 'tokens: expected a number'],
    ['too much', { tokens: 1e13 }, 'tokens: expected a number'],
    ['a name that is none', { 'Tokens used': 1 }, 'expected unit names'],
    ['a name of the language', JSON.parse('{"__proto__": 1}'), 'expected unit names'],
    ['too long a name', { ['u'.repeat(41)]: 1 }, 'expected unit names'],
    ['too many units', units(21), 'at most 20 units'],
  ])('that is %s is refused with what was expected', (_, report, message) => {
    expect(() => readUsage(report)).toThrow(Refusal);
    expect(() => readUsage(report)).toThrow(message);
  });

  test('of twenty units is taken', () => {
    expect(Object.keys(readUsage(units(20)).units)).toHaveLength(20);
  });
});

describe('sums', () => {
  test('add unit by unit, without the dust of binary fractions', () => {
    const once = addUsage(null, { units: { minutes: 0.1 }, cost: 5 });
    expect(addUsage(once, { units: { minutes: 0.2, tokens: 7 }, cost: 6 })).toEqual({
      units: { minutes: 0.3, tokens: 7 },
      cost: 11,
    });
  });

  test('keep what comes after the twentieth unit of a run, and the hundredth of a total, as other', () => {
    const of = (from: number, count: number) => ({
      units: Object.fromEntries(Array.from({ length: count }, (_, n) => [`u${from + n}`, 2])),
      cost: 0,
    });
    expect(addUsage(of(0, 20), of(20, 3)).units).toMatchObject({ u0: 2, other: 6 });
    const total = addToTotal(of(0, 100), of(100, 1));
    expect(total.units['other']).toBe(2);
    expect(Object.keys(addToTotal(total, of(200, 20)).units)).toHaveLength(101);
  });

  test('take a unit named like a member of every object for what it is', () => {
    expect(addUsage(null, { units: { constructor: 1 }, cost: 0 }).units).toEqual({ constructor: 1 });
  });

  test('never pass what a whole number can hold', () => {
    const most = { units: {}, cost: Number.MAX_SAFE_INTEGER };
    expect(addToTotal(most, { units: {}, cost: 1 }).cost).toBe(Number.MAX_SAFE_INTEGER);
  });
});

test.each([
  [0, '0.00'],
  [12_500_000, '12.50'],
  [12_000, '0.012'],
  [1, '0.000001'],
  [1_000_000_000_000_000, '1000000000.00'],
])('%i millionths are %s and back', (millionths, text) => {
  expect(money(millionths)).toBe(text);
  expect(readMoney(text)).toBe(millionths);
});

test('a usage is told with its units and its cost', () => {
  const usage = { units: { tokens: 1200 }, cost: 12_000 };
  expect(usageView(usage)).toEqual({ units: { tokens: 1200 }, cost: '0.012' });
  expect(usageText(usage)).toBe('1200 tokens, cost 0.012');
});

describe('periods', () => {
  const last = new Date('2026-12-31T23:59:59.999Z');
  const first = new Date('2027-01-01T00:00:00.000Z');

  test('change at midnight and on the first, by UTC', () => {
    expect([periodOf('day', last), periodOf('month', last)]).toEqual(['2026-12-31', '2026-12']);
    expect([periodOf('day', first), periodOf('month', first)]).toEqual(['2027-01-01', '2027-01']);
    expect(periodOf('all', first)).toBe('all');
    expect(endOf('day', last)).toEqual(first);
    expect(endOf('month', last)).toEqual(first);
    expect(endOf('month', new Date('2028-02-29T10:00:00Z'))).toEqual(new Date('2028-03-01T00:00:00Z'));
  });
});
