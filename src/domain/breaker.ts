import { SECOND } from './clock.ts';
import { int, maybe, table, text, time, type Patch, type Row } from './table.ts';

/**
 * One circuit breaker per destination that fails, shared by all processes; the id is the destination, `host:port`. One
 * that answers has none.
 */
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

/** What whoever is held off from a destination is told begins with this. */
export const isOpen = (destination: string): string => `The breaker of ${destination} is open`;

type State = Omit<BreakerRow, 'id' | 'version'>;
export type BreakerChange = Patch<typeof breakers>;

/** What a trial may take beyond its own time-out before it counts as lost with its process, in milliseconds. */
const TRIAL_GRACE = 5 * SECOND;

/**
 * What a request may do: `pass` freely, `try` as the one trial, or nothing until then. A trial whose time is over was
 * lost with its process, so another may begin; a time further off than any can be was written by a clock set back since.
 */
export function permitted(
  state: State | undefined,
  { open, cap }: BreakerRules,
  now: Date,
): { readonly kind: 'pass' | 'try' } | { readonly kind: 'wait'; readonly until: Date } {
  if (!state || state.state === 'closed' || !state.retryAt) return { kind: 'pass' };
  const left = state.retryAt.getTime() - now.getTime();
  if (left <= 0 || left > cap + TRIAL_GRACE) return { kind: 'try' };
  // A trial is mostly over long before it counts as lost.
  return {
    kind: 'wait',
    until: new Date(now.getTime() + Math.min(left, state.trial === null ? left : open)),
  };
}

/** The one trial begins. It counts as lost a little after its time-out, and holds others up no longer than the cap. */
export const tried = (trial: string, timeout: number, { cap }: BreakerRules, now: Date): BreakerChange => ({
  state: 'half-open',
  trial,
  retryAt: new Date(now.getTime() + Math.min(timeout, cap) + TRIAL_GRACE),
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
  if (before && !speaksFor(before, trial)) return undefined;
  const failures = (before?.failures ?? 0) + 1;
  const after = { failures, trial: null, reason, changedAt: now };
  if (failures < rules.failures) return { ...after, state: 'closed', retryAt: null };
  return { ...after, state: 'open', retryAt: new Date(now.getTime() + openFor(rules, failures)) };
}

/** Whether what became of a request tells of the destination as it is now. */
export const speaksFor = ({ state, trial }: State, asked: string | undefined): boolean =>
  state === 'closed' || (asked !== undefined && trial === asked);

/** Milliseconds: each failure beyond the first opening was a trial that failed. */
function openFor({ open, cap, failures: least }: BreakerRules, failures: number): number {
  return Math.min(cap, open * 2 ** Math.min(failures - least, 30));
}
