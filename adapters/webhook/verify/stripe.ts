import { fresh, header, hexDigest, hmac, same, type Headers, type Proof } from './signature.ts';

/**
 * `Stripe-Signature: t=<seconds>,v1=<hex>,v1=…` over `t.body`; any `v1` may match, other schemes are not looked at.
 * The delivery is the event's `id`, in the payload. https://docs.stripe.com/webhooks/signature
 */
export function verifyStripe(headers: Headers, raw: Buffer, secrets: readonly string[], now: Date): Proof {
  const fields = (header(headers, 'stripe-signature') ?? '')
    .split(',')
    .map((field) => field.trim().split('=', 2));
  const times = fields.filter(([key]) => key === 't').map(([, value]) => value);
  if (times.length !== 1) return { refused: 'Stripe-Signature is missing, repeated or without one t' };
  if (!fresh(times[0], now)) return { refused: 't is not within 300 s' };
  const given = fields.filter(([key]) => key === 'v1').map(([, value = '']) => hexDigest(value));
  const matches = secrets.some((secret) => {
    const expected = hmac(secret, `${times[0]}.`, raw);
    return given.some((each) => each !== undefined && same(expected, each));
  });
  return matches ? {} : { refused: 'no v1 signature matches' };
}
