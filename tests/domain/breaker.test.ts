import { describe, expect, test } from 'vitest';
import { failed, permitted, speaksFor, tried, untried } from '../../src/domain/breaker.ts';
import { DAY } from '../../src/domain/clock.ts';

const RULES = { failures: 3, open: 10_000, cap: 60_000 };
const NOW = new Date('2026-11-20T12:00:00Z');
const at = (milliseconds: number) => new Date(NOW.getTime() + milliseconds);
type State = NonNullable<ReturnType<typeof failed>>;
const may = (state: State | undefined, now: Date) => permitted(state, RULES, now);

/** After so many failures in a row, and trials that failed. */
const after = (failures: number, now = NOW): State => {
  let state: State | undefined;
  for (let n = 0; n < failures; n++) {
    if (state?.state === 'open') state = { ...state, ...tried('t', 0, RULES, now) };
    state = failed(state, 't', 'down', RULES, now) as State;
  }
  return state as State;
};

test('opens at the bound, and not before', () => {
  expect(after(2)).toMatchObject({ state: 'closed', failures: 2 });
  expect(after(3)).toMatchObject({ state: 'open', failures: 3, retryAt: at(10_000), reason: 'down' });
});

test('stays open longer with each trial that fails, up to the cap', () => {
  const waits = [3, 4, 5, 6, 40].map((failures) => (after(failures).retryAt?.getTime() ?? 0) - NOW.getTime());
  expect(waits).toEqual([10_000, 20_000, 40_000, 60_000, 60_000]);
});

describe('what may pass', () => {
  test('all while closed, nobody while open, one once its time has come', () => {
    expect(may(undefined, NOW)).toEqual({ kind: 'pass' });
    expect(may(after(2), NOW)).toEqual({ kind: 'pass' });
    expect(may(after(3), at(9_999))).toEqual({ kind: 'wait', until: at(10_000) });
    expect(may(after(3), at(10_000))).toEqual({ kind: 'try' });
  });

  test('nobody else during the trial, unless it was lost', () => {
    const half = { ...after(3), ...tried('t1', 2_000, RULES, at(10_000)) };
    expect(may(half, at(16_999))).toEqual({ kind: 'wait', until: at(17_000) });
    expect(may(half, at(17_000))).toEqual({ kind: 'try' });
  });

  test('a trial of a day holds others up for no longer than the cap, and they look in between', () => {
    const half = { ...after(3), ...tried('t1', DAY, RULES, at(10_000)) };
    expect(may(half, at(10_000))).toEqual({ kind: 'wait', until: at(20_000) });
    expect(may(half, at(75_000))).toEqual({ kind: 'try' });
  });

  test('one whose clock was set back since is tried, and not held until the time comes round again', () => {
    expect(may(after(3, at(DAY)), NOW)).toEqual({ kind: 'try' });
    const half = { ...after(3), ...tried('t1', 2_000, RULES, at(DAY)) };
    expect(may(half, NOW)).toEqual({ kind: 'try' });
    // The longest that any can be.
    expect(may(after(40), NOW)).toEqual({ kind: 'wait', until: at(60_000) });
  });
});

describe('half open', () => {
  const half = { ...after(3), ...tried('t1', 2_000, RULES, at(10_000)) };

  test('the trial closes it, or opens it for longer', () => {
    expect(speaksFor(half, 't1')).toBe(true);
    expect(failed(half, 't1', 'down', RULES, at(11_000))).toMatchObject({
      state: 'open',
      trial: null,
      retryAt: at(31_000),
    });
  });

  test('nobody else speaks for it: not who began before it opened, nor a trial that was taken for lost', () => {
    for (const trial of [undefined, 't0']) {
      expect(speaksFor(half, trial)).toBe(false);
      expect(failed(half, trial, 'down', RULES, NOW)).toBeUndefined();
    }
    expect(failed(after(3), undefined, 'down', RULES, NOW)).toBeUndefined();
  });

  test('a trial that came to nothing leaves the next request to try', () => {
    expect(may({ ...half, ...untried(at(11_000)) }, at(11_000))).toEqual({ kind: 'try' });
  });
});
