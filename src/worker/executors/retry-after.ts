import { SECOND } from '../../domain/clock.ts';

/** Milliseconds that a `Retry-After` asks to wait (RFC 9110, 10.2.3: seconds or a date); undefined when it is neither. */
export function retryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * SECOND;
  // Date.parse takes `-5` and `1.5` for months.
  const until = /^[A-Za-z]{3,9},? /.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(until) ? undefined : Math.max(0, until - now.getTime());
}
