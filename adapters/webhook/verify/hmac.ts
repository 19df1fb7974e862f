import { hash } from 'node:crypto';
import { fresh, header, hexDigest, hmac, same, type Headers, type Verify } from './signature.ts';

/**
 * Plain HMAC-SHA256 of the raw bytes in hex, with or without `sha256=`, in a header of the operator's choice. Where
 * `X-Timestamp` (Unix seconds) is sent it has to be recent, but it is outside the signature: what keeps a replay from
 * acting again is the delivery, which without a header of its own is the body's digest.
 */
export function hmacVerifier(signatureHeader = 'x-signature-256', deliveryHeader?: string): Verify {
  return (headers, raw, secrets, now) => {
    const given = hexDigest((header(headers, signatureHeader) ?? '').replace(/^sha256=/, ''));
    if (given === undefined) return { refused: `${signatureHeader} is missing, repeated or not hex` };
    if (headers['x-timestamp'] !== undefined && !fresh(header(headers, 'x-timestamp'), now))
      return { refused: 'X-Timestamp is not within 300 s' };
    if (!secrets.some((secret) => same(hmac(secret, raw), given)))
      return { refused: 'the signature does not match' };
    const delivery = deliveryOf(headers, raw, deliveryHeader);
    return delivery === undefined ? { refused: `${deliveryHeader} is missing or repeated` } : { delivery };
  };
}

function deliveryOf(headers: Headers, raw: Buffer, name: string | undefined): string | undefined {
  return name === undefined ? hash('sha256', raw, 'hex') : header(headers, name);
}
