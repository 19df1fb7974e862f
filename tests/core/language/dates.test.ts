import { describe, expect, test } from 'vitest';
import { argsOf, readText, refusal } from './fixtures.ts';

const due = async (text: string): Promise<unknown> => (await argsOf(`task create x --due "${text}"`))['due'];
const after = async (text: string): Promise<unknown> =>
  (await argsOf(`job run x --after "${text}"`))['after'];

describe('dates', () => {
  test.each([
    ['2026-11-20', '2026-11-20T23:59:59.000Z'],
    ['friday', '2026-11-20T23:59:59.000Z'],
    ['Tomorrow', '2026-11-19T23:59:59.000Z'],
    ['tomorrow 9:00', '2026-11-19T09:00:00.000Z'],
    ['2026-11-20T09:00:00Z', '2026-11-20T09:00:00.000Z'],
    ['2026-11-20T09:00', '2026-11-20T09:00:00.000Z'],
    ['2026-11-20 09:00:30+02:00', '2026-11-20T07:00:30.000Z'],
    ['2026-11-20T09:00:00.123-0530', '2026-11-20T14:30:00.123Z'],
    ['in 2 hours', '2026-11-18T12:00:00.000Z'],
  ])('until %s', async (text, expected) => {
    expect(await due(text)).toBe(expected);
  });

  test('a day alone is its first instant where the argument is no deadline', async () => {
    expect(await after('2026-11-20')).toBe('2026-11-20T00:00:00.000Z');
    expect(await after('friday')).toBe('2026-11-20T00:00:00.000Z');
  });

  test('a schema of days gets a day', async () => {
    expect(await argsOf('probe run api --day friday')).toEqual({ name: 'api', day: '2026-11-20' });
  });

  test.each([
    'soonish',
    '',
    '2026-02-30',
    '2026-13-01',
    'friday or maybe not',
    '2026-11-20T25:00',
    'x'.repeat(500),
  ])('%j is no date', async (text) => {
    const error = await refusal(readText(`task create x --due "${text}"`));
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toContain(
      'due: expected a date such as 2026-11-20, friday or "tomorrow 9:00", got',
    );
  });
});
