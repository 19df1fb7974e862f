import { fresh, header, hmac, same, type Headers, type Proof } from './signature.ts';

/**
 * Standard Webhooks: `webhook-signature` holds space-separated `v1,<base64>` over `id.timestamp.body`; any may match.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function verifyStandard(headers: Headers, raw: Buffer, secrets: readonly string[], now: Date): Proof {
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const signatures = header(headers, 'webhook-signature');
  if (id === undefined || timestamp === undefined || signatures === undefined)
    return { refused: 'webhook-id, webhook-timestamp or webhook-signature is missing or repeated' };
  if (!fresh(timestamp, now)) return { refused: 'webhook-timestamp is not within 300 s' };
  const given = signatures
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .map((each) => Buffer.from(each.slice(3), 'base64'));
  const usable = secrets.flatMap(keys);
  if (usable.length === 0)
    return { refused: `no secret is usable: ${PREFIX} and base64 of at least ${LEAST} bytes` };
  const matches = usable.some((key) => {
    const expected = hmac(key, `${id}.${timestamp}.`, raw);
    return given.some((each) => same(expected, each));
  });
  return matches ? { delivery: id } : { refused: 'no signature matches' };
}

const PREFIX = 'whsec_';
/** Bytes below which a decoded key could be guessed, or was no base64 but decoded all the same; senders use 24 to 64. */
const LEAST = 16;

/** `whsec_` marks base64; without it senders differ: some sign with the decoded bytes, some with the text itself. */
function keys(secret: string): Buffer[] {
  const prefixed = secret.startsWith(PREFIX);
  const decoded = decode(prefixed ? secret.slice(PREFIX.length) : secret);
  return [...(decoded ? [decoded] : []), ...(prefixed || secret === '' ? [] : [Buffer.from(secret)])];
}

/** The bytes of strict base64, padded or not; Node's own reading skips whatever is none. */
function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  const bare = (base64: string): string => base64.replace(/={1,2}$/, '');
  return bytes.length >= LEAST && bare(bytes.toString('base64')) === bare(text) ? bytes : undefined;
}
