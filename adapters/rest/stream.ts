import type { Request, Response } from 'express';
import { Standing } from '../../src/core/feed-standing.ts';
import { PAGE, Tail } from '../../src/core/feed-tail.ts';
import { anyMatches, touchesIdentity } from '../../src/core/feed-topics.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { published, type JournalEntry } from '../../src/domain/journal.ts';
import type { Handler } from '../http.ts';
import { queryOf } from './arguments.ts';
import { enter, present, type Caller } from './caller.ts';
import { checkQuery, numberIn, topicsIn, type EventsOptions } from './events.ts';

const HEARTBEAT = 15 * SECOND;
/** Bytes that may wait for a slow reader; beyond, it is cut off and resumes by `Last-Event-ID`. */
const CAP = 1024 * 1024;
const LONGEST_TIMER = 2 ** 31 - 1;

interface Item {
  readonly at: number;
  readonly entry: JournalEntry;
}

/**
 * `GET /v1/events/stream`: server-sent events (WHATWG HTML, 9.2), `id` the sequence. Goes on after `Last-Event-ID` or
 * `after`, else from now; ends when the token does. What can no longer be had is told as `event: gap`.
 */
export function streamEvents(options: EventsOptions): Handler {
  const { authenticator, admission, workspace, feed } = options;
  return async (req: Request, res: Response) => {
    const caller = await enter(options, req);
    const who = await present(authenticator, caller.identity);
    const query = queryOf(req);
    checkQuery(query, ['after', 'topics']);
    const topics = topicsIn(query);
    const head = await feed.head(workspace);
    const after = positionOf(req, query) ?? head;
    const release = openStream(req, res, () => admission.hold('rest', caller.identity, who));
    if (!release) return;
    if (after > head) writeGap(res, head + 1, after);

    const end = holdOpen(options, caller, res, release);
    const standing = new Standing(who, () => present(authenticator, caller.identity), end);
    const tail = new Tail<Item>(Math.min(after, head), {
      read: async (from) => (await feed.history(workspace, from, PAGE)).map(itemOf),
      take: ({ entry }) => {
        if (anyMatches(topics, entry.event) && standing.mayRead(entry.event)) writeEntry(res, entry);
      },
      ready: () => standing.ready() ?? drained(res),
      gap: (from, to) => writeGap(res, from, to),
      failed: (err) => {
        options.log.warn({ err }, 'an event stream could not be read on');
        end();
      },
    });
    const off = feed.onEntry(workspace, (entry) => {
      if (touchesIdentity(entry.event)) {
        standing.doubt();
        tail.start();
      }
      tail.offer(itemOf(entry));
    });
    release.push(off, () => tail.stop());
    // Whatever changed since the reader was looked up was told before this stream could hear of it.
    standing.doubt();
    tail.start();
  };
}

/**
 * Begins a stream of events; `hold` counts it as open. Returns what is to be called when it is over, `hold`'s own first;
 * undefined where there is nobody to stream to.
 */
export function openStream(req: Request, res: Response, hold: () => () => void): (() => void)[] | undefined {
  // Whoever left meanwhile would never close again, and nothing would let go of what is held from here on.
  if (res.destroyed) return undefined;
  const release = req.method === 'HEAD' ? undefined : [hold()];
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
  if (release) res.write(': connected\n\n');
  else res.end();
  return release;
}

/** One event; a reader that is too slow for it is cut off and resumes by its last id. */
export function writeEvent(
  res: Response,
  { event, id, data }: { readonly event?: string; readonly id?: number; readonly data: unknown },
): void {
  if (res.writableLength > CAP) {
    res.destroy();
    return;
  }
  const name = event === undefined ? '' : `event: ${event}\n`;
  const position = id === undefined ? '' : `id: ${id}\n`;
  res.write(`${name}${position}data: ${JSON.stringify(data)}\n\n`);
}

const writeEntry = (res: Response, entry: JournalEntry): void =>
  writeEvent(res, { id: entry.seq, data: published(entry) });

const writeGap = (res: Response, from: number, to: number): void =>
  writeEvent(res, { event: 'gap', data: { type: 'gap', from, to } });

const itemOf = (entry: JournalEntry): Item => ({ at: entry.seq, entry });

/** Where a stream goes on: after `Last-Event-ID`, or `after`. */
export function positionOf(req: Request, query: URLSearchParams): number | undefined {
  const last = req.headers['last-event-id'];
  if (typeof last === 'string' && last !== '') {
    if (!/^\d{1,15}$/.test(last))
      throw new Refusal('invalid_argument', 'Last-Event-ID: expected a sequence number.');
    return Number(last);
  }
  return query.has('after') ? numberIn(query, 'after', 0, Number.MAX_SAFE_INTEGER, /^\d+$/) : undefined;
}

/**
 * Keeps the response open with heartbeats until the reader goes, the token is over or the adapter stops; then calls
 * what `release` holds by that time. Returns the way to end it.
 */
export function holdOpen(
  options: EventsOptions,
  { expiresAt }: Caller,
  res: Response,
  release: readonly (() => void)[],
): () => void {
  const beat = setInterval(() => {
    if (res.writableLength > CAP) res.destroy();
    else res.write(': still here\n\n');
  }, HEARTBEAT);
  const left = expiresAt ? expiresAt.getTime() - options.clock.now().getTime() : LONGEST_TIMER;
  const expiry = setTimeout(() => end(), Math.min(left, LONGEST_TIMER));
  const letGo = () => {
    clearInterval(beat);
    clearTimeout(expiry);
    options.open.delete(end);
    for (const free of release) free();
  };
  const end = () => {
    letGo();
    res.end();
  };
  options.open.add(end);
  res.once('close', letGo);
  return end;
}

/** Until a slow reader has taken what waits for it; undefined: there is room. */
export function drained(res: Response): Promise<void> | undefined {
  if (!res.writableNeedDrain || res.destroyed) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      res.off('drain', done);
      res.off('close', done);
      resolve();
    };
    res.on('drain', done);
    res.on('close', done);
  });
}
