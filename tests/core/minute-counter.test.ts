import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MinuteCounter, type Count, type SharedCounts } from '../../src/core/minute-counter.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What all processes counted, by key; what was told, call by call. */
function counts() {
  const told: (readonly [string, number])[][] = [];
  const all = new Map<string, number>();
  const shared: SharedCounts = {
    async add(messages) {
      told.push([...messages]);
      const sums = new Map<string, Count>();
      for (const [key, n] of messages) {
        all.set(key, (all.get(key) ?? 0) + n);
        sums.set(key, { counted: all.get(key) ?? 0, msBeforeNext: 60_000 });
      }
      return sums;
    },
  };
  return { shared, told, all };
}

test('however many senders there are, they are told in one piece', async () => {
  const { shared, told } = counts();
  const counter = new MinuteCounter(10, shared);
  for (let n = 0; n < 500; n += 1) await counter.consume(`sender-${n % 250}`);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(100);
  expect(told).toEqual([Array.from({ length: 250 }, (_, n) => [`sender-${n}`, 2])]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told).toHaveLength(1);
});

test('a key that all of them have used up is refused, until its minute is over', async () => {
  const { shared, all } = counts();
  const counter = new MinuteCounter(3, shared);
  all.set('k', 2);
  expect(await counter.consume('k')).toBeUndefined();
  await vi.advanceTimersByTimeAsync(100);
  expect(await counter.consume('k')).toBeGreaterThan(59_000);
  await vi.advanceTimersByTimeAsync(60_001);
  expect(await counter.consume('k')).toBeUndefined();
});

test('while one exchange takes its time, what is counted waits for the next; one that fails stops nothing', async () => {
  const told: (readonly [string, number])[][] = [];
  let slow = Promise.withResolvers<ReadonlyMap<string, Count>>();
  const counter = new MinuteCounter(9, {
    add(messages) {
      told.push([...messages]);
      return slow.promise;
    },
  });
  await counter.consume('a');
  await vi.advanceTimersByTimeAsync(100);
  await counter.consume('b');
  await counter.consume('b');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(told).toEqual([[['a', 1]]]);
  slow.reject(new Error('away'));
  slow = Promise.withResolvers();
  await vi.advanceTimersByTimeAsync(100);
  expect(told).toEqual([[['a', 1]], [['b', 2]]]);
});
