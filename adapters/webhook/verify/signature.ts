import { createHmac, timingSafeEqual } from 'node:crypto';
import { SECOND } from '../../../src/domain/clock.ts';

/** Header values as they came, by lower-case name, one element per occurrence (`IncomingMessage.headersDistinct`). */
export type Headers = Readonly<Record<string, readonly string[] | undefined>>;

/** What a genuine delivery is called. An absent name is taken from the payload once that is parsed. */
export type Proof =
  | { readonly delivery?: string; readonly event?: string }
  /** Why not; for the log, never for the sender. */
  | { readonly refused: string }
  /** The signature holds, and what is missing besides; for the sender. */
  | { readonly incomplete: string };

/** Proves that a source's owner sent these bytes. `now` decides staleness; several secrets during a rotation. */
export type Verify = (headers: Headers, raw: Buffer, secrets: readonly string[], now: Date) => Proof;

/** How far a signed time may be from ours, either way: what Stripe and Standard Webhooks ask for. */
const TOLERANCE = 300 * SECOND;

/** A header that came exactly once; a repeated one is nobody's, since proxies and parsers disagree on which counts. */
export function header(headers: Headers, name: string): string | undefined {
  const values = headers[name.toLowerCase()];
  return values?.length === 1 ? values[0] : undefined;
}

export function hmac(key: string | Buffer, ...parts: readonly (string | Buffer)[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Constant in time for equal lengths; the length of a SHA-256 is no secret. */
export function same(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** The bytes of a lower- or upper-case hex SHA-256; undefined for anything else. */
export function hexDigest(text: string): Buffer | undefined {
  return /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : undefined;
}

/** Whether a Unix time in seconds is within the tolerance, in the past and in the future. */
export function fresh(seconds: string | undefined, now: Date): boolean {
  if (seconds === undefined || !/^\d{1,12}$/.test(seconds)) return false;
  return Math.abs(now.getTime() - Number(seconds) * SECOND) <= TOLERANCE;
}
