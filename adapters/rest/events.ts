import type { Request, Response } from 'express';
import type { Logger } from 'pino';
import type { Feed } from '../../src/core/feed.ts';
import { mayRead } from '../../src/core/feed.ts';
import { PAGE } from '../../src/core/feed-tail.ts';
import { anyMatches, checkTopics } from '../../src/core/feed-topics.ts';
import { SECOND, type Clock } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { published, type JournalEntry } from '../../src/domain/journal.ts';
import type { Principal } from '../../src/domain/principal.ts';
import { sendJson, type Handler } from '../http.ts';
import { queryOf } from './arguments.ts';
import { enter, present, type Entrance } from './caller.ts';

export interface EventsOptions extends Entrance {
  readonly feed: Feed;
  readonly clock: Clock;
  readonly log: Logger;
  /** How to end each request that is held open; called at stop. */
  readonly open: Set<() => void>;
}

const LONGEST_WAIT = 30;
/** Entries that one request looks through before it answers with how far it came. */
const MOST_PAGES = 20;

/**
 * `GET /v1/events?after=SEQ&wait=SECONDS&topics=job.*,task.*` → `{events, next}`: the readable entries after `after`
 * (0 unless given), oldest first. With none, waits for one, at most 30 s. `next` is the `after` of the next call.
 */
export function pollEvents(options: EventsOptions): Handler {
  const { authenticator, admission, workspace, clock } = options;
  return async (req: Request, res: Response) => {
    const { identity } = await enter(options, req);
    const query = queryOf(req);
    checkQuery(query, ['after', 'wait', 'topics']);
    const topics = topicsIn(query);
    const end = clock.now().getTime() + numberIn(query, 'wait', 0, LONGEST_WAIT) * SECOND;
    const after = numberIn(query, 'after', 0, Number.MAX_SAFE_INTEGER, /^\d+$/);
    let next = Math.min(after, await options.feed.head(workspace));
    const who = await present(authenticator, identity);
    // Whoever left meanwhile is not told of again.
    if (res.destroyed) return;
    const letGo = admission.hold('rest', identity, who);
    const arrival = new Arrival(options, ({ event }) => anyMatches(topics, event));
    res.once('close', () => arrival.close());
    try {
      for (;;) {
        arrival.reset();
        const found = await scan(options, await present(authenticator, identity), topics, next);
        next = found.next;
        const left = end - clock.now().getTime();
        if (found.events.length > 0 || found.more || left <= 0 || arrival.closed)
          return sendJson(res, 200, { events: found.events, next });
        await arrival.within(left);
      }
    } finally {
      letGo();
      arrival.close();
    }
  };
}

/** Reads on until something readable is found, within bounds. */
async function scan(
  { feed, workspace }: EventsOptions,
  who: Principal,
  topics: readonly string[],
  after: number,
) {
  let next = after;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page = await feed.history(workspace, next, PAGE);
    next = page.at(-1)?.seq ?? next;
    const events = page
      .filter((entry) => anyMatches(topics, entry.event) && mayRead(who, entry.event))
      .map(published);
    if (events.length > 0 || page.length < PAGE) return { events, next, more: false };
  }
  return { events: [], next, more: true };
}

/** The arrival of a matching entry, a time-out or the end of the request, whichever comes first. */
export class Arrival {
  closed = false;
  #arrived = false;
  #wake: (() => void) | undefined;
  readonly #off: () => void;
  readonly #open: Set<() => void>;
  readonly close = (): void => {
    this.closed = true;
    this.#off();
    this.#open.delete(this.close);
    this.#wake?.();
  };

  constructor({ feed, workspace, open }: EventsOptions, matches: (entry: JournalEntry) => boolean) {
    this.#open = open;
    open.add(this.close);
    this.#off = feed.onEntry(workspace, (entry) => {
      if (!matches(entry)) return;
      this.#arrived = true;
      this.#wake?.();
    });
  }

  reset(): void {
    this.#arrived = false;
  }

  async within(milliseconds: number): Promise<void> {
    if (this.#arrived || this.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

/** `topics=a,b` or repeated; all unless given. */
export function topicsIn(query: URLSearchParams): readonly string[] {
  const topics = query.getAll('topics').flatMap((list) => list.split(','));
  return topics.length === 0 ? ['*'] : checkTopics(topics);
}

export function numberIn(
  query: URLSearchParams,
  name: string,
  least: number,
  most: number,
  form = /^\d+(\.\d+)?$/,
) {
  const text = query.get(name);
  if (text === null) return least;
  const value = form.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new Refusal('invalid_argument', `${name}: expected a number from ${least} to ${most}.`);
  return value;
}

/** @throws Refusal `invalid_argument` for an unknown name, and for one given twice that is no list. */
export function checkQuery(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name))
      throw new Refusal(
        'invalid_argument',
        `"${name.slice(0, 50)}" is not known here; known: ${known.join(', ')}.`,
      );
    if (name !== 'topics' && query.getAll(name).length > 1)
      throw new Refusal('invalid_argument', `"${name}" is given more than once.`);
  }
}
