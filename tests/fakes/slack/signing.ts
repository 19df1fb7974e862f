import { createHmac } from 'node:crypto';

/** `v0=` and the hex HMAC-SHA256 of `v0:<timestamp>:<body>` (docs.slack.dev/authentication/verifying-requests-from-slack). */
export function sign(secret: string, timestamp: number, body: string): string {
  return `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
}

export interface SigningOptions {
  /** Seconds added to the clock for the timestamp header. */
  readonly timestampOffset?: number;
  /** Sent instead of the right signature; `null` leaves the header out. */
  readonly signature?: string | null;
}

/** The two headers of a request from Slack. */
export function signedHeaders(
  secret: string,
  now: Date,
  body: string,
  options: SigningOptions,
): Record<string, string> {
  const timestamp = Math.floor(now.getTime() / 1_000) + (options.timestampOffset ?? 0);
  const signature = options.signature === undefined ? sign(secret, timestamp, body) : options.signature;
  return {
    'x-slack-request-timestamp': String(timestamp),
    ...(signature === null ? {} : { 'x-slack-signature': signature }),
  };
}
