import type { Response } from 'express';
import type { Waits } from '../../src/core/command.ts';
import type { Receive } from '../../src/core/adapter.ts';
import type { Answer, Inbound } from '../../src/core/message.ts';
import type { Store } from '../../src/core/store.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { isObject, type JsonObject } from '../../src/domain/json.ts';
import { present } from './caller.ts';
import { Arrival, type EventsOptions } from './events.ts';

export interface WaitingOptions extends EventsOptions {
  readonly receive: Receive;
  readonly catalog: Catalog;
  readonly store: Pick<Store, 'read'>;
}

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
 * Runs a command that may have nothing to tell yet, and again when it may, until it has or `seconds` are over. Nothing is
 * held meanwhile but the request itself, which counts as one message however often it looks.
 */
export async function receiveWaiting(
  options: WaitingOptions,
  res: Response,
  { message, command, args, waits, seconds }: Waiting,
): Promise<Answer> {
  const { receive, clock, admission, authenticator, catalog } = options;
  const end = clock.now().getTime() + seconds * SECOND;
  // Before the first look, so that what comes between two of them is heard.
  const arrival = new Arrival(options, (entry) => waits.wakes(entry, args, catalog));
  res.once('close', () => arrival.close());
  const again = repeated(message, command, args, waits);
  let letGo: (() => void) | undefined;
  try {
    for (let answer = await receive(message); ; ) {
      const left = end - clock.now().getTime();
      // Whoever left meanwhile would not hear what it was given.
      if (left <= 0 || arrival.closed || !isIdle(answer, waits)) return answer;
      letGo ??= admission.hold('rest', message.from, await present(authenticator, message.from));
      arrival.reset();
      const looked = performance.now();
      const wait = await untilDue(options, waits, args);
      if (wait <= 0 && !arrival.closed) answer = await receive(again);
      if (!isIdle(answer, waits)) return answer;
      await arrival.within(Math.min(left, LOOK_EVERY, wait > 0 ? wait : LOOK_EVERY));
      await pause(Math.min(left, looked + PACE - performance.now()));
    }
  } finally {
    letGo?.();
    arrival.close();
  }
}

/** What has done something is not done again under its key; what only looked may find something under it. */
function repeated(message: Inbound, command: string, args: JsonObject, waits: Waits): Inbound {
  const { dedupeKey: _, ...unkeyed } = message;
  const other = waits.again?.(args);
  return { ...(other ? unkeyed : message), body: { command, args: other ?? args }, counted: true };
}

const isIdle = ({ status, reply }: Answer, waits: Waits): boolean =>
  status === 'ok' && isObject(reply.data) && waits.idle(reply.data);

/** Milliseconds until it is worth running again; endless where nothing is known of, as while the database is away. */
async function untilDue(
  { store, workspace, catalog, clock, log }: WaitingOptions,
  waits: Waits,
  args: JsonObject,
): Promise<number> {
  try {
    const due = await store.read(workspace, (tx) => waits.due({ tx, catalog }, args));
    return due ? due.getTime() - clock.now().getTime() : Number.POSITIVE_INFINITY;
  } catch (err) {
    log.warn({ err }, 'a request that waits could not look; it looks again shortly');
    return Number.POSITIVE_INFINITY;
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
