import { setTimeout as delay } from 'node:timers/promises';
import type { webApi } from '@slack/bolt';
import Bottleneck from 'bottleneck';
import { SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { isObject } from '../../src/domain/json.ts';
import { retryAfter } from './account.ts';

/** So many calls at once, and another one each so many milliseconds. */
interface Rate {
  readonly burst: number;
  readonly each: number;
}

/** Within any minute no more than Slack promises to take: 50 of tier 3, 100 of tier 4. */
const TIER_3: Rate = { burst: 9, each: 1_500 };
const TIER_4: Rate = { burst: 19, each: 750 };
/** Of tier 4, for people who wait and come all at once, as after an announcement; each is asked about once in minutes. */
const CROWD: Rate = { burst: 49, each: 1_250 };

/**
 * What Slack takes of a method in a workspace (docs.slack.dev/apis/web-api/rate-limits). That it takes one message a second in a
 * channel is kept by the outbox; of all channels together it takes "several hundred" a minute. `auth.test` has a limit of its
 * own, of hundreds a minute, of which we use one.
 */
const RATES: Readonly<Record<string, Rate>> = {
  'chat.postMessage': { burst: 19, each: 250 },
  'chat.update': TIER_3,
  'conversations.history': TIER_3,
  'conversations.replies': TIER_3,
  'users.info': CROWD,
  'views.open': TIER_4,
  'views.update': TIER_4,
  'views.publish': TIER_4,
};

/** Bottleneck counts in steps of so many milliseconds. */
const STEP = 250;
/** How long a call that nobody can change any more waits for its turn; then it has to be made again later. */
const LONGEST_WAIT = 5 * SECOND;

/** When Slack's methods may be called by this process. */
export class Rates {
  readonly #speed: number;
  readonly #limiters = new Map<string, Bottleneck>();
  /** Until when Slack asked to wait, by a steady clock. */
  readonly #paused = new Map<string, number>();

  /** `speed`: how many times faster than Slack says, for a Slack whose clock runs as much faster. */
  constructor(speed = 1) {
    this.#speed = speed;
  }

  /** Resolves when the method may be called; rejects when the signal is aborted. */
  async turn(method: string, channel: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#pauseOver(keyOf(method, channel), signal);
    const limiter = this.#limiter(method);
    if (!limiter) return;
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason as Error);
    signal.throwIfAborted();
    signal.addEventListener('abort', abort, { once: true });
    await Promise.race([limiter.schedule(() => this.#keepOrGiveBack(limiter, signal)), aborted]).finally(() =>
      signal.removeEventListener('abort', abort),
    );
    // It may have been asked to wait in between.
    await this.#pauseOver(keyOf(method, channel), signal);
  }

  /** Whoever gave up waiting made no call: their turn is the next one's, who would else wait for all of those. */
  async #keepOrGiveBack(limiter: Bottleneck, signal: AbortSignal): Promise<void> {
    if (signal.aborted) await limiter.incrementReservoir(1);
  }

  /**
   * The same for what holds up others meanwhile. @throws Refusal `rate_limited` when that is not soon.
   */
  async turnSoon(method: string, channel: string | undefined): Promise<void> {
    const signal = AbortSignal.timeout(LONGEST_WAIT);
    try {
      await this.turn(method, channel, signal);
    } catch (cause) {
      throw new Refusal('rate_limited', `${method} has been called as often as Slack takes it.`, {
        retryAfter: LONGEST_WAIT,
        cause,
      });
    }
  }

  /** Slack asked to wait: no call of that method is made until then; of a post, none to that channel. */
  pause(method: string, channel: string | undefined, milliseconds: number): void {
    const until = performance.now() + milliseconds / this.#speed;
    const key = keyOf(method, channel);
    this.#paused.set(key, Math.max(until, this.#paused.get(key) ?? 0));
  }

  async #pauseOver(key: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = (this.#paused.get(key) ?? 0) - performance.now();
      if (left <= 0) break;
      await delay(left, undefined, { signal, ref: false });
    }
    this.#paused.delete(key);
  }

  #limiter(method: string): Bottleneck | undefined {
    const rate = RATES[method];
    const known = this.#limiters.get(method);
    if (known || rate === undefined) return known;
    const each = rate.each / this.#speed;
    const interval = Math.max(STEP, Math.ceil(each / STEP) * STEP);
    const limiter = new Bottleneck({
      reservoir: rate.burst,
      reservoirIncreaseInterval: interval,
      reservoirIncreaseAmount: Math.floor(interval / each),
      reservoirIncreaseMaximum: rate.burst,
    });
    this.#limiters.set(method, limiter);
    return limiter;
  }
}

const keyOf = (method: string, channel: string | undefined): string =>
  method === 'chat.postMessage' ? `${method} ${channel}` : method;

/** Methods whose turn is awaited before what they say is known: whoever calls them awaits it. */
const AWAITED: ReadonlySet<string> = new Set(['chat.postMessage', 'chat.update']);

/** A client that calls no method more often than Slack takes it, and none that Slack asked to wait with. */
export function createClient(
  WebClient: typeof webApi.WebClient,
  token: string,
  options: webApi.WebClientOptions,
  rates: Rates,
): webApi.WebClient {
  class PacedClient extends WebClient {
    override async apiCall(
      method: string,
      args?: Parameters<webApi.WebClient['apiCall']>[1],
    ): Promise<webApi.WebAPICallResult> {
      const channel = isObject(args) && typeof args['channel'] === 'string' ? args['channel'] : undefined;
      if (!AWAITED.has(method)) await rates.turnSoon(method, channel);
      try {
        return await super.apiCall(method, args);
      } catch (error) {
        const seconds = retryAfter(error);
        if (seconds !== undefined) rates.pause(method, channel, seconds * SECOND);
        throw error;
      }
    }
  }
  return new PacedClient(token, options);
}
