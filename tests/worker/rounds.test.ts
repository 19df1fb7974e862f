import { afterEach, expect, test, vi } from 'vitest';
import { Rounds } from '../../src/worker/rounds.ts';

/** Rounds that the test ends one by one. */
function controlled() {
  const under: (() => void)[] = [];
  let begun = 0;
  const rounds = new Rounds(() => {
    begun += 1;
    return new Promise<void>((resolve) => under.push(resolve));
  }, 1_000);
  return { rounds, end: () => under.shift()?.(), begun: () => begun };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

afterEach(() => vi.useRealTimers());

test('whatever is asked for during a round is one more after it', async () => {
  const { rounds, end, begun } = controlled();
  const first = rounds.now();
  const more = [rounds.now(), rounds.now(), rounds.now()];
  expect(begun()).toBe(1);
  end();
  await first;
  await settled();
  expect(begun()).toBe(2);
  end();
  await Promise.all(more);
  const last = rounds.now();
  expect(begun()).toBe(3);
  end();
  await last;
});

test('a round that takes minutes leaves no pile of them behind', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { rounds, end, begun } = controlled();
  rounds.start();
  vi.advanceTimersByTime(300_000);
  expect(begun()).toBe(1);
  end();
  await settled();
  expect(begun()).toBe(2);
  const stopped = rounds.stop();
  end();
  await stopped;
  vi.advanceTimersByTime(10_000);
  expect(begun()).toBe(2);
  rounds.start();
  vi.advanceTimersByTime(1_000);
  expect(begun()).toBe(3);
  end();
  await rounds.stop();
});
