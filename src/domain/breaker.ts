import { int, maybe, table, text, time, type Patch, type Row } from './table.ts';

/** One circuit breaker per destination, shared by all processes; the id is the destination, `host:port`. */
export const breakers = table('breakers', {
  state: text<'closed' | 'open' | 'half-open'>(),
  /** Failures in a row. */
  failures: int(),
  /** While open: when one request may try whether the destination is back. While half-open: when another may. */
  retryAt: maybe(time()),
  /** While half-open: who tries. */
  trial: maybe(text()),
  reason: maybe(text()),
  changedAt: time(),
});

export type BreakerRow = Row<typeof breakers>;

export interface BreakerRules {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** Milliseconds that it stays open the first time, doubled with each trial that fails, up to the cap. */
  readonly open: number;
  readonly cap: number;
}

type State = Omit<BreakerRow, 'id' | 'version'>;
export type BreakerChange = Patch<typeof breakers>;

export const CLOSED: Omit<State, 'changedAt'> = {
  state: 'closed',
  failures: 0,
  retryAt: null,
  trial: null,
  reason: null,
};

/**
 * What a request may do: `pass` freely, `try` as the one trial, or nothing until `retryAt`. A trial whose time is over
 * was lost with its process, so another may begin.
 */
export function permitted(
  state: State | undefined,
  now: Date,
): { readonly kind: 'pass' | 'try' } | { readonly kind: 'wait'; readonly until: Date } {
  if (!state || state.state === 'closed' || !state.retryAt) return { kind: 'pass' };
  return state.retryAt <= now ? { kind: 'try' } : { kind: 'wait', until: state.retryAt };
}

/** The one trial begins; it is given up for lost at `until`. */
export const tried = (trial: string, until: Date, now: Date): BreakerChange => ({
  state: 'half-open',
  trial,
  retryAt: until,
  changedAt: now,
});

/** A trial that came to nothing (its job was cancelled): the next request is the trial. */
export const untried = (now: Date): BreakerChange => ({
  state: 'open',
  trial: null,
  retryAt: now,
  changedAt: now,
});

/** After a failure that counts; undefined where it changes nothing: only the trial speaks for one that is not closed. */
export function failed(
  before: State | undefined,
  trial: string | undefined,
  reason: string,
  rules: BreakerRules,
  now: Date,
): State | undefined {
  const state = before ?? { ...CLOSED, changedAt: now };
  if (state.state !== 'closed' && (trial === undefined || state.trial !== trial)) return undefined;
  const failures = state.failures + 1;
  if (failures < rules.failures) return { ...CLOSED, failures, reason, changedAt: now };
  const retryAt = new Date(now.getTime() + openFor(rules, failures));
  return { state: 'open', failures, retryAt, trial: null, reason, changedAt: now };
}

/** After an answer; undefined where it changes nothing. */
export function answered(
  state: State | undefined,
  trial: string | undefined,
  now: Date,
): BreakerChange | undefined {
  if (!state || (state.state === 'closed' && state.failures === 0)) return undefined;
  if (state.state !== 'closed' && (trial === undefined || state.trial !== trial)) return undefined;
  return { ...CLOSED, changedAt: now };
}

/** Milliseconds: each failure beyond the first opening was a trial that failed. */
function openFor({ open, cap, failures: least }: BreakerRules, failures: number): number {
  return Math.min(cap, open * 2 ** Math.min(failures - least, 30));
}
