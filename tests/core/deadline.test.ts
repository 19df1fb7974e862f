import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lastMoment, settled } from '../../src/core/deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('what stops may take until some seconds after the deadline, and is given up then', async () => {
  const deadline = new AbortController();
  const last = lastMoment(deadline.signal);
  const failed: unknown[] = [];
  const note = (error: unknown) => void failed.push(error);
  const slow = Promise.withResolvers<void>();
  const never = new Promise<void>(() => undefined);
  let over = false;
  const all = settled([slow.promise, never, Promise.reject(new Error('broken'))], last, note).then(
    () => (over = true),
  );
  await vi.advanceTimersByTimeAsync(60_000);
  expect([over, failed]).toEqual([false, [new Error('broken')]]);
  deadline.abort();
  await vi.advanceTimersByTimeAsync(3_000);
  slow.resolve();
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(2_000);
  await all;
  expect(failed).toEqual([new Error('broken'), new Error('it was given up')]);
});

test('where all stop there is nothing to wait for, also after the deadline', async () => {
  const failed = vi.fn<(error: unknown) => void>();
  await settled([Promise.resolve()], lastMoment(AbortSignal.abort()), failed);
  await settled([], AbortSignal.abort(), failed);
  expect(failed).not.toHaveBeenCalled();
});
