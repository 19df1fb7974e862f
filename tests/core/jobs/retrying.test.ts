import { describe, expect, test } from 'vitest';
import { judge, type Failure } from '../../../src/core/jobs/retrying.ts';
import { DAY, SECOND } from '../../../src/domain/clock.ts';
import { FAILURE_CLASSES, PASSES } from '../../../src/domain/failure.ts';
import type { JobRow } from '../../../src/domain/job.ts';
import type { Tries } from '../../../src/domain/runbook.ts';
import { tries } from '../../support/runbook.ts';

const NOW = new Date('2026-11-20T12:00:00Z');
const row = (over: Partial<JobRow> = {}) =>
  ({
    attempt: 1,
    maxAttempts: 5,
    startedAt: NOW,
    phase: 'forward',
    cancelRequested: false,
    ...over,
  }) as JobRow;
const verdict = (failure: Failure, rules: Partial<Tries> = {}, over: Partial<JobRow> = {}) =>
  judge(row(over), { tries: tries({ max: 5, ...rules }) }, failure, NOW, () => 1);

const busy = { kind: 'retry', failure: 'network', reason: 'no answer' } as const;
const no = { kind: 'fail', failure: 'refused', reason: 'no' } as const;

describe('another try', () => {
  test.each(FAILURE_CLASSES)('after %s is as the executor says, or as the runbook does', (failure) => {
    const kind = PASSES[failure] ? 'retry' : 'fail';
    expect(verdict({ kind, failure, reason: 'x' }).again).toBe(PASSES[failure]);
    expect(verdict({ kind, failure, reason: 'x' }, { on: { [failure]: 'fail' } }).again).toBe(false);
    expect(verdict({ kind, failure, reason: 'x' }, { on: { [failure]: 'retry' } }).again).toBe(true);
  });

  test('waits twice as long each time, up to the cap, and at random below', () => {
    const waits = [1, 2, 3, 4, 5, 6].map((attempt) => verdict(busy, { max: 9 }, { attempt, maxAttempts: 9 }));
    expect(waits.map((each) => each.again && each.wait)).toEqual([1, 2, 4, 8, 10, 10].map((s) => s * SECOND));
    const half = judge(row({ attempt: 3 }), { tries: tries({ max: 5 }) }, busy, NOW, () => 0.25);
    expect(half).toEqual({ again: true, wait: SECOND, attempt: 3 });
  });

  test('waits for as long as the far side asked, a day at most, and never less than the pause', () => {
    const limited = { ...busy, failure: 'rate_limited' } as const;
    expect(verdict({ ...limited, after: 90 * SECOND })).toMatchObject({ again: true, wait: 90 * SECOND });
    expect(verdict({ ...limited, after: 400 * DAY })).toMatchObject({ again: true, wait: DAY });
    expect(verdict({ ...limited, after: 0 }, {}, { attempt: 3 })).toMatchObject({
      again: true,
      wait: 4 * SECOND,
    });
  });

  test('follows at once where the worker was lost', () => {
    expect(verdict({ kind: 'retry', failure: 'lost', reason: 'gone' })).toMatchObject({
      again: true,
      wait: 0,
    });
  });

  test('of what was held off is the same try, and not all of them at the same instant', () => {
    const heldOff = { ...busy, after: 30 * SECOND, heldOff: true } as const;
    expect(verdict(heldOff, {}, { attempt: 5 })).toEqual({ again: true, wait: 40 * SECOND, attempt: 4 });
    const early = judge(row(), { tries: tries() }, heldOff, NOW, () => 0);
    expect(early).toEqual({ again: true, wait: 30 * SECOND, attempt: 0 });
    const over = verdict(heldOff, { budget: 30 * SECOND }, { attempt: 1 });
    expect(over).toEqual({ again: false, stoppedBy: 'tries.budget' });
  });
});

describe('no other try', () => {
  test('once they are used up, which is said', () => {
    expect(verdict(busy, {}, { attempt: 5 })).toEqual({ again: false, stoppedBy: 'tries.max' });
    expect(verdict(no, {}, { attempt: 5 })).toEqual({ again: false, stoppedBy: null });
  });

  test('beyond the budget, however long the far side asked to wait', () => {
    const startedAt = new Date(NOW.getTime() - 50 * SECOND);
    const budget = 60 * SECOND;
    expect(verdict(busy, { budget }, { startedAt, attempt: 4 })).toMatchObject({
      again: true,
      wait: 8 * SECOND,
    });
    const asked = { ...busy, after: 11 * SECOND };
    expect(verdict(asked, { budget }, { startedAt })).toEqual({ again: false, stoppedBy: 'tries.budget' });
  });

  test('names the bound that the try itself met', () => {
    const failure = { ...no, bound: 'bounds.outputBytes' };
    expect(verdict(failure)).toEqual({ again: false, stoppedBy: 'bounds.outputBytes' });
  });

  test('after a cancel, unless it is being undone', () => {
    expect(verdict(busy, {}, { cancelRequested: true }).again).toBe(false);
    expect(verdict(busy, {}, { cancelRequested: true, phase: 'compensating' }).again).toBe(true);
  });

  test('where it could not even start, whatever the runbook says of the class', () => {
    const start = { ...no, stage: 'start' } as const;
    expect(verdict(start, { on: { refused: 'retry' } }).again).toBe(false);
  });

  test('of a runbook that is gone', () => {
    expect(judge(row(), undefined, busy, NOW, () => 1)).toEqual({ again: false, stoppedBy: null });
  });
});
