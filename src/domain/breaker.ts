import { int, maybe, table, text, time, type Row } from './table.ts';

/** One circuit breaker per destination, shared by all processes; the id is the destination, `host:port`. */
export const breakers = table('breakers', {
  state: text<'closed' | 'open' | 'half-open'>(),
  /** Failures in a row. */
  failures: int(),
  /** While open: when one request may try whether the destination is back. */
  retryAt: maybe(time()),
  /** While half-open: who tries. */
  trial: maybe(text()),
  reason: maybe(text()),
  changedAt: time(),
});

export type BreakerRow = Row<typeof breakers>;
