import { hash } from 'node:crypto';
import { fresh, header, hexDigest, hmac, same, type Headers, type Verify } from './signature.ts';

/**
 * Plain HMAC-SHA256 of the raw bytes in hex, with or without `sha256=`, in a header of the operator's choice. The
 * delivery tells a repeat by the source itself; without a header of its own it is the body's digest, so that the same
 * bytes act once. A delivery header, like `X-Timestamp` (Unix seconds, which has to be recent where it is sent), is
 * outside the signature: whoever captured a request could send it again under another delivery. Only TLS keeps requests
 * from being captured.
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
    return delivery === undefined
      ? { incomplete: `The header ${deliveryHeader}, which names the delivery, is missing or repeated.` }
      : { delivery };
  };
}

function deliveryOf(headers: Headers, raw: Buffer, name: string | undefined): string | undefined {
  return name === undefined ? hash('sha256', raw, 'hex') : header(headers, name);
}
