import { MINUTE, SECOND, type Clock } from '../../../src/domain/clock.ts';
import { METHODS } from './methods.ts';

/** A call that came too soon. */
export interface RateLimited {
  readonly method: string;
  readonly channel?: string;
}

interface Limit {
  readonly key: string;
  /** Calls that may come at once. */
  readonly burst: number;
  /** Milliseconds after which another one may. */
  readonly each: number;
}

/** Slack's rates: each call is counted at the clock's time. */
export class Rates {
  readonly limited: RateLimited[] = [];
  /** When the calls taken so far are made up for. */
  readonly #until = new Map<string, number>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whole seconds to wait, as `Retry-After`; undefined where the call may go on. */
  take(method: string, channel: unknown): number | undefined {
    const limit = limitOf(method, channel);
    if (limit === undefined) return undefined;
    const now = this.#clock.now().getTime();
    const until = Math.max(now, this.#until.get(limit.key) ?? 0) + limit.each;
    const early = until - now - limit.burst * limit.each;
    if (early <= 0) {
      this.#until.set(limit.key, until);
      return undefined;
    }
    this.limited.push({ method, ...(typeof channel === 'string' && { channel }) });
    return Math.ceil(early / SECOND);
  }
}

/** One message a second in a channel, and one more in a burst (docs.slack.dev/apis/web-api/rate-limits). */
function limitOf(method: string, channel: unknown): Limit | undefined {
  if (method === 'chat.postMessage') return { key: `${method} ${String(channel)}`, burst: 2, each: SECOND };
  const most = METHODS[method]?.perMinute;
  return most === undefined ? undefined : { key: method, burst: most, each: MINUTE / most };
}
