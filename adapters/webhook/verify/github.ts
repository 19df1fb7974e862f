import { header, hexDigest, hmac, same, type Headers, type Proof } from './signature.ts';

/**
 * `X-Hub-Signature-256: sha256=<hex>` over the raw bytes; the older SHA-1 header is not looked at.
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export function verifyGithub(headers: Headers, raw: Buffer, secrets: readonly string[]): Proof {
  const signature = header(headers, 'x-hub-signature-256');
  const given = signature?.startsWith('sha256=') ? hexDigest(signature.slice(7)) : undefined;
  if (given === undefined) return { refused: 'X-Hub-Signature-256 is missing, repeated or not sha256=<hex>' };
  if (!secrets.some((secret) => same(hmac(secret, raw), given)))
    return { refused: 'the signature does not match' };
  const delivery = header(headers, 'x-github-delivery');
  const event = header(headers, 'x-github-event');
  if (delivery === undefined || event === undefined)
    return { refused: 'X-GitHub-Delivery or X-GitHub-Event is missing or repeated' };
  return { delivery, event };
}
