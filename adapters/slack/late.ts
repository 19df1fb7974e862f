import { setTimeout as delay } from 'node:timers/promises';
import type { RespondFn } from '@slack/bolt';
import type { Logger } from 'pino';
import type { Notifier } from '../../src/core/adapter.ts';
import type { Reply } from '../../src/core/message.ts';
import { SECOND } from '../../src/domain/clock.ts';
import type { Json } from '../../src/domain/json.ts';
import { redact } from '../../src/domain/redact.ts';
import type { Rendered } from './rendering/render.ts';

/** What is done about answers that take their time, in milliseconds. */
export interface Lateness {
  /** From then on a command or a click is acknowledged without its answer: Slack waits for three seconds. */
  readonly after: number;
  /** The pauses before further tries to reach a `response_url`. */
  readonly pauses: readonly number[];
}

export const LATENESS: Lateness = { after: 2 * SECOND, pauses: [SECOND, 4 * SECOND] };

/** What a command is acknowledged with whose answer is late. */
export const STILL_WORKING = { response_type: 'ephemeral', text: 'Still working on it…' } as const;

/** An answer as it is shown, as it was given, and whom it is for. */
export interface Told {
  readonly shown: Rendered;
  readonly reply: Reply;
  /** The Slack user; undefined where the payload could not be read. */
  readonly user: string | undefined;
}

/** Whether the work is done within so many milliseconds. Rejects as the work does. */
export async function isDoneWithin(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(milliseconds, false, { signal: timer.signal, ref: false }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    timer.abort();
  }
}

export interface AnsweringOptions {
  readonly lateness: Lateness;
  readonly notifier: Notifier;
  readonly log: Logger;
}

/** Posts to a `response_url`. */
type Respond = (message: Parameters<RespondFn>[0]) => Promise<unknown>;

/** How an answer stands where the person asked: as a message of its own, or in place of what was acknowledged. */
type Place = Pick<Exclude<Parameters<RespondFn>[0], string>, 'replace_original' | 'thread_ts'>;

/**
 * Shows an answer through its `response_url`: five uses within half an hour
 * (docs.slack.dev/interactivity/handling-user-interaction), of which three are tried at most. Where it cannot be reached, the
 * person is told directly, without secrets, as that stays. Never rejects: the effect stands whether or not Slack takes it.
 */
export async function answer(
  respond: Respond,
  { shown, reply, user }: Told,
  place: Place,
  { lateness, notifier, log }: AnsweringOptions,
): Promise<void> {
  const message = { response_type: 'ephemeral', ...place, ...shown } as const;
  for (const pause of [0, ...lateness.pauses]) {
    if (pause > 0) await delay(pause, undefined, { ref: false });
    try {
      await respond(message);
      return;
    } catch (err) {
      log.warn({ err }, 'slack did not take an answer at its response_url');
      if (!mayPass(err)) break;
    }
  }
  if (user !== undefined) await answerDirectly(user, reply, { notifier, log });
}

/** Writes an answer to the person who could not be answered where they asked, without secrets, as it stays. Never rejects. */
export async function answerDirectly(
  user: string,
  reply: Reply,
  { notifier, log }: Omit<AnsweringOptions, 'lateness'>,
): Promise<void> {
  const text = `I could not answer where you asked:\n${reply.text}`;
  const clean = redact({ ...reply, text } as unknown as Json) as unknown as Reply;
  await notifier
    .send({ channel: 'slack', to: user }, { key: `late:${user}`, reply: clean })
    .catch((err: unknown) => log.warn({ err }, 'slack did not take an answer at all'));
}

/** Bolt says with which status a `response_url` refused; what is over or wrong stays so. */
function mayPass(error: unknown): boolean {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 503;
  return status === 429 || status >= 500;
}
