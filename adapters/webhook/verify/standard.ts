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
  const matches = secrets.flatMap(keys).some((key) => {
    const expected = hmac(key, `${id}.${timestamp}.`, raw);
    return given.some((each) => same(expected, each));
  });
  return matches ? { delivery: id } : { refused: 'no signature matches' };
}

/** `whsec_` marks base64; without it senders differ: some sign with the decoded bytes, some with the text itself. */
function keys(secret: string): Buffer[] {
  const prefixed = secret.startsWith('whsec_');
  const decoded = Buffer.from(prefixed ? secret.slice(6) : secret, 'base64');
  // An undecodable secret gives an empty key, with which anybody could sign.
  return [decoded, ...(prefixed ? [] : [Buffer.from(secret)])].filter((key) => key.length > 0);
}
