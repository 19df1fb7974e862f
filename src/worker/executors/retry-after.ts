import { SECOND } from '../../domain/clock.ts';

/** Milliseconds that a `Retry-After` asks to wait (RFC 9110, 10.2.3: seconds or a date); undefined when it says nothing. */
export function retryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * SECOND;
  const until = Date.parse(value);
  return Number.isNaN(until) ? undefined : Math.max(0, until - now.getTime());
}
