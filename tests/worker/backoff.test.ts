import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoff } from '../../src/core/jobs/retrying.ts';
import { tries as policy } from '../support/runbook.ts';

test('waits double from the first to the cap, each with full jitter', () => {
  const tries = policy({ max: 9, backoff: 1_000, cap: 10_000 });
  expect([1, 2, 3, 4, 5, 60].map((attempt) => backoff(tries, attempt, () => 1))).toEqual([
    1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
  ]);
  expect(backoff(tries, 3, () => 0)).toBe(0);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random) => {
        const wait = backoff(tries, attempt, () => random);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(tries.cap);
      },
    ),
  );
});
