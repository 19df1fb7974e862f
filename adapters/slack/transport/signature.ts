import type { IncomingHttpHeaders } from 'node:http';
import type { isValidSlackRequest } from '@slack/bolt';

/** Seconds that a request's timestamp may differ from the clock, to either side. */
const WINDOW = 300;

export interface SignatureCheck {
  readonly signingSecret: string;
  readonly now: Date;
  /** Bolt's own check of the HMAC, handed in because Bolt is only loaded when Slack is on. */
  readonly isValid: typeof isValidSlackRequest;
}

/**
 * Whether the request is Slack's and fresh (docs.slack.dev/authentication/verifying-requests-from-slack). Bolt refuses
 * old timestamps only, so a request signed for later could be kept and replayed: both sides are checked here.
 */
export function isFromSlack(headers: IncomingHttpHeaders, body: string, check: SignatureCheck): boolean {
  const stamp = headers['x-slack-request-timestamp'];
  const signature = headers['x-slack-signature'];
  if (typeof stamp !== 'string' || typeof signature !== 'string' || !/^\d{1,12}$/.test(stamp)) return false;
  const seconds = Number(stamp);
  if (Math.abs(check.now.getTime() / 1_000 - seconds) > WINDOW) return false;
  return check.isValid({
    signingSecret: check.signingSecret,
    body,
    headers: { 'x-slack-signature': signature, 'x-slack-request-timestamp': seconds },
    nowMilliseconds: check.now.getTime(),
  });
}
