import { header, type Headers, type Proof } from './signature.ts';
import { verifyStandard } from './standard.ts';

/**
 * GitLab's signing token, which follows Standard Webhooks. The plain `X-Gitlab-Token` proves nothing about the body
 * and can be replayed for ever, so it is never a fallback.
 */
export function verifyGitlab(headers: Headers, raw: Buffer, secrets: readonly string[], now: Date): Proof {
  const proof = verifyStandard(headers, raw, secrets, now);
  const event = header(headers, 'x-gitlab-event');
  return event === undefined || !('delivery' in proof) ? proof : { ...proof, event };
}
