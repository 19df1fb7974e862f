import { createHmac } from 'node:crypto';
import type { Logger } from 'pino';
import type { Notifier } from '../core/adapter.ts';
import type { Reply } from '../core/message.ts';
import { SECOND, type Clock } from '../domain/clock.ts';
import type { Effect } from '../domain/effect.ts';
import { Refusal } from '../domain/errors.ts';
import { notifyOrigin } from '../domain/job.ts';
import { sha256 } from '../domain/json.ts';
import { retryAfter } from './executors/retry-after.ts';
import type { GuardedFetch, GuardedResponse } from './guard.ts';

export interface JobNotifierOptions {
  readonly fetch: GuardedFetch;
  /** `whsec_…` and base64; while one takes the place of another, both: each signs. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Keeps the receipt of what was posted under an outgoing message's key. */
  readonly receipt: (key: string, webhookId: string, effect: Effect) => Promise<unknown>;
}

const TIMEOUT = 15 * SECOND;
const MAX_ANSWER = 64 * 1024;

/**
 * Posts how jobs ended, signed as Standard Webhooks has it
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): a repeat has the same
 * `webhook-id` and body, and a time and signature of its own. Anything but 2xx is tried again; 410 is not.
 */
export function createJobNotifier({ fetch, secrets, clock, log, receipt }: JobNotifierOptions): Notifier {
  return {
    async send({ to }, { key, reply }) {
      const body = JSON.stringify(reply.data);
      // The same key and content may come from another installation under another id of its own: the content has one.
      const id = `msg_${sha256(`${key}\n${body}`).slice(0, 32)}`;
      const startedAt = clock.now();
      const timestamp = Math.floor(startedAt.getTime() / SECOND);
      const headers = {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': secrets.map((secret) => signature(secret, id, timestamp, body)).join(' '),
      };
      const told = async (outcome: string) => {
        const effect = {
          kind: 'notify',
          target: notifyOrigin(to),
          outcome,
          result: summaryOf(reply),
        } as const;
        await receipt(key, id, { ...effect, startedAt, endedAt: clock.now() }).catch((err: unknown) =>
          log.warn({ err, key }, 'the receipt of a posted end could not be kept'),
        );
      };
      let answer: GuardedResponse;
      try {
        const exchange = { timeout: TIMEOUT, maxBytes: MAX_ANSWER, maxRedirects: 0 };
        answer = await fetch({ method: 'POST', url: to, headers, body, ...exchange });
      } catch (error) {
        await told(error instanceof Refusal && error.code !== 'unavailable' ? 'refused' : 'no answer');
        throw error;
      }
      await told(String(answer.status));
      checkTaken(answer, clock.now());
      return { externalId: id };
    },
  };
}

function signature(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
}

/** @throws Refusal `unavailable` or `rate_limited` where it is worth another try, `not_found` where it never will be. */
function checkTaken({ status, headers }: GuardedResponse, now: Date): void {
  if (status >= 200 && status < 300) return;
  if (status === 410) throw new Refusal('not_found', 'The receiver wants no more of these (410).');
  const wait = retryAfter(headers['retry-after'], now);
  throw new Refusal(wait === undefined ? 'unavailable' : 'rate_limited', `The receiver answered ${status}.`, {
    ...(wait !== undefined && { retryAfter: wait }),
  });
}

const summaryOf = ({ text }: Reply): { readonly text: string } => ({ text });
