import type { Response } from 'express';
import type { Waits } from '../../src/core/command.ts';
import type { Answer, Inbound } from '../../src/core/message.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { isObject, type JsonObject } from '../../src/domain/json.ts';
import { present } from './caller.ts';
import type { CommandsOptions } from './commands.ts';
import { Arrival, type EventsOptions } from './events.ts';

/** How often to look although nothing was heard of, in milliseconds. */
const LOOK_EVERY = 5 * SECOND;
/** Between two looks, however much is heard of. */
const PACE = SECOND / 4;

interface Waiting {
  readonly message: Inbound;
  readonly command: string;
  readonly args: JsonObject;
  readonly waits: Waits;
  readonly seconds: number;
}

/**
 * Runs a command that may have nothing to tell yet, again and again until it has or `seconds` are over. Nothing is held
 * meanwhile but the request itself; each look is a message of its own, and counts as one.
 */
export async function receiveWaiting(
  options: CommandsOptions & EventsOptions,
  res: Response,
  { message, command, args, waits, seconds }: Waiting,
): Promise<Answer> {
  const { receive, clock, admission, authenticator } = options;
  const end = clock.now().getTime() + seconds * SECOND;
  // Before the first look, so that what comes between two of them is heard.
  const arrival = new Arrival(options, waits.events);
  res.once('close', () => arrival.close());
  const again = { ...message, body: { command, args: waits.again?.(args) ?? args } };
  let letGo: (() => void) | undefined;
  try {
    for (let next = message; ; next = again) {
      arrival.reset();
      const looked = performance.now();
      const answer = await receive(next);
      const left = end - clock.now().getTime();
      if (left <= 0 || arrival.closed || !isIdle(answer, waits)) return answer;
      letGo ??= admission.hold('rest', message.from, await present(authenticator, message.from));
      await arrival.within(Math.min(left, LOOK_EVERY, until(answer, waits, clock.now())));
      await pause(Math.min(left, looked + PACE - performance.now()));
      // Whoever left meanwhile would not hear what it was given.
      if (res.destroyed) return answer;
    }
  } finally {
    letGo?.();
    arrival.close();
  }
}

const isIdle = ({ status, reply }: Answer, waits: Waits): boolean =>
  status === 'ok' && isObject(reply.data) && waits.idle(reply.data);

/** Milliseconds until the answer may be another by itself: a job whose time comes is no event. */
function until({ reply }: Answer, waits: Waits, now: Date): number {
  const next = isObject(reply.data) ? waits.next?.(reply.data) : undefined;
  return typeof next === 'string' ? Math.max(0, Date.parse(next) - now.getTime()) : Number.POSITIVE_INFINITY;
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
