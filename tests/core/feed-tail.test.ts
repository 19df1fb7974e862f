import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PAGE, Tail } from '../../src/core/feed-tail.ts';

const settle = async (turns = 20) => {
  for (let n = 0; n < turns; n += 1) await Promise.resolve();
};

/** A store and a live stream, and a tail that has them joined. */
function joined(stored: number, after: number, options: { holes?: boolean } = {}) {
  const items = Array.from({ length: stored }, (_, n) => ({ at: n + 1 }));
  const taken: number[] = [];
  const gaps: [number, number][] = [];
  const state = { wait: undefined as Promise<void> | undefined, failure: undefined as unknown };
  const tail = new Tail(after, {
    read: async (from) => items.filter((item) => item.at > from).slice(0, PAGE),
    take: (item) => void taken.push(item.at),
    ready: () => state.wait,
    ...(!options.holes && { gap: (from: number, to: number) => void gaps.push([from, to]) }),
    failed: (error) => {
      state.failure = error;
    },
  });
  const append = (at = (items.at(-1)?.at ?? 0) + 1, live = true) => {
    items.push({ at });
    if (live) tail.offer({ at });
  };
  return { tail, items, taken, gaps, state, append };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

test('property: in order, nothing twice, nothing missing, whatever comes in between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1_200),
      fc.nat(1_200),
      fc.array(fc.constantFrom('append', 'turn', 'restart', 'hold', 'free'), { maxLength: 60 }),
      async (stored, passed, steps) => {
        const after = Math.min(passed, stored);
        const { tail, items, taken, gaps, state, append } = joined(stored, after);
        let free: (() => void) | undefined;
        tail.start();
        for (const step of steps) {
          if (step === 'append') append();
          else if (step === 'turn') await Promise.resolve();
          else if (step === 'restart') tail.start();
          else if (step === 'hold' && !free)
            state.wait = new Promise((resolve) => {
              free = resolve;
            });
          else if (step === 'free') {
            state.wait = undefined;
            free?.();
            free = undefined;
          }
        }
        state.wait = undefined;
        free?.();
        await settle(100);
        expect(taken).toEqual(range(after + 1, items.length));
        expect(gaps).toEqual([]);
      },
    ),
    { numRuns: 200 },
  );
});

test('a hole in the live stream is read from the store', async () => {
  const { tail, taken, append } = joined(2, 2);
  tail.start();
  await settle();
  append(3, false);
  append(4);
  expect(taken).toEqual([]);
  await settle();
  expect(taken).toEqual([3, 4]);
});

test('what the store does not have is told, and it goes on', async () => {
  const { tail, items, taken, gaps } = joined(3, 0);
  items.splice(1, 1);
  tail.start();
  await settle();
  expect([taken, gaps]).toEqual([[1, 3], [[2, 2]]]);
  tail.offer({ at: 6 });
  await settle();
  expect(gaps).toEqual([
    [2, 2],
    [4, 6],
  ]);
  tail.offer({ at: 7 });
  expect(taken).toEqual([1, 3, 7]);
});

test('positions with holes of their own are no gaps', async () => {
  const { tail, taken, append } = joined(0, 0, { holes: true });
  tail.start();
  await settle();
  append(5);
  append(9);
  expect(taken).toEqual([5, 9]);
});

test('nothing is taken while the reader waits, nor after a stop', async () => {
  const { tail, taken, state, append } = joined(3, 0);
  const gate = Promise.withResolvers<void>();
  state.wait = gate.promise;
  tail.start();
  append();
  await settle();
  expect(taken).toEqual([]);
  tail.stop();
  gate.resolve();
  await settle();
  append();
  tail.start();
  await settle();
  expect(taken).toEqual([]);
});

test('a failed read ends it and is told', async () => {
  const failures: unknown[] = [];
  const tail = new Tail(0, {
    read: () => Promise.reject(new Error('locked')),
    take: () => undefined,
    ready: () => undefined,
    failed: (error) => void failures.push(error),
  });
  tail.start();
  await settle();
  expect(failures).toEqual([new Error('locked')]);
});
