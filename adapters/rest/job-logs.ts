import type { Request, Response } from 'express';
import type { LogLine } from '../../src/core/feed.ts';
import { Standing } from '../../src/core/feed-standing.ts';
import { PAGE, Tail } from '../../src/core/feed-tail.ts';
import { touchesIdentity } from '../../src/core/feed-topics.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { isOver, type JobState } from '../../src/domain/job.ts';
import type { Handler } from '../http.ts';
import { queryOf } from './arguments.ts';
import { enter, present } from './caller.ts';
import { checkQuery, type EventsOptions } from './events.ts';
import { drained, holdOpen, openStream, positionOf, writeEvent } from './stream.ts';

interface Item {
  readonly at: number;
  readonly line: LogLine;
}

/** What a log line is read under: the permission of its job. */
const LOG_EVENT = 'job.log';
const ENDS: ReadonlyMap<string, JobState> = new Map([
  ['job.succeeded', 'succeeded'],
  ['job.failed', 'failed'],
  ['job.cancelled', 'cancelled'],
]);

const itemOf = (line: LogLine): Item => ({ at: line.cursor, line });

/**
 * `GET /v1/jobs/{id}/logs/stream`: a job's log as server-sent events, from its beginning or after `Last-Event-ID` or
 * `after`; `id` is the cursor. Progress comes as lines of the stream `progress`. After the last line of a job that is
 * over, `event: end` tells its state, and the stream ends.
 */
export function streamLogs(options: EventsOptions): Handler {
  const { authenticator, admission, workspace, feed } = options;
  return async (req: Request, res: Response) => {
    const caller = await enter(options, req);
    const who = await present(authenticator, caller.identity);
    const query = queryOf(req);
    checkQuery(query, ['after']);
    const after = positionOf(req, query) ?? 0;
    const job = String(req.params['id']).toUpperCase();
    const end = (): void => stop();
    const standing = new Standing(who, () => present(authenticator, caller.identity), end);
    if (!standing.mayRead(LOG_EVENT))
      throw new Refusal('forbidden', 'You may not read jobs: it needs the permission job:read.');
    if ((await feed.jobState(workspace, job)) === undefined)
      throw new Refusal('not_found', `There is no job ${job.slice(0, 64)}.`);
    const release = openStream(req, res, () => admission.hold('rest', caller.identity, who));
    if (!release) return;
    const stop = holdOpen(options, caller, res, release);
    const log = new JobLogStream(options, job, after, res, standing, stop);
    release.push(() => log.stop());
    log.start();
  };
}

/** One reader of one job's log. */
class JobLogStream {
  readonly #options: EventsOptions;
  readonly #job: string;
  readonly #res: Response;
  readonly #standing: Standing;
  readonly #end: () => void;
  readonly #tail: Tail<Item>;
  #off: readonly (() => void)[] = [];
  #over = false;

  constructor(
    options: EventsOptions,
    job: string,
    after: number,
    res: Response,
    standing: Standing,
    end: () => void,
  ) {
    this.#options = options;
    this.#job = job;
    this.#res = res;
    this.#standing = standing;
    this.#end = end;
    this.#tail = new Tail<Item>(after, {
      read: (from) => this.#read(from),
      take: (item) => this.#write(item),
      ready: () => this.#ready(),
      failed: (err) => this.#failed(err),
    });
  }

  start(): void {
    const { feed, workspace } = this.#options;
    this.#off = [
      feed.onLog(workspace, (line) => {
        if (line.job === this.#job) this.#tail.offer(itemOf(line));
      }),
      feed.onEntry(workspace, ({ event, target }) => {
        if (touchesIdentity(event)) {
          this.#standing.doubt();
          this.#tail.start();
        }
        const state = target === this.#job ? ENDS.get(event) : undefined;
        if (state) this.#finish(state);
      }),
    ];
    // Whatever changed since the reader was looked up was told before this stream could hear of it.
    this.#standing.doubt();
    this.#tail.start();
    feed.jobState(workspace, this.#job).then(
      (state) => state && isOver(state) && this.#finish(state),
      (err: unknown) => this.#failed(err),
    );
  }

  stop(): void {
    this.#over = true;
    this.#tail.stop();
    for (const off of this.#off) off();
  }

  async #read(after: number): Promise<Item[]> {
    const { feed, workspace } = this.#options;
    return (await feed.logs(workspace, this.#job, after, PAGE)).map(itemOf);
  }

  /** The lines that are left, then the end. */
  #finish(state: JobState): void {
    if (this.#over) return;
    this.stop();
    this.#rest(state).catch((err: unknown) => this.#failed(err));
  }

  async #rest(state: JobState): Promise<void> {
    for (let after = this.#tail.position; ; ) {
      const page = await this.#read(after);
      for (const item of page) {
        for (let wait = this.#ready(); wait && !this.#res.destroyed; wait = this.#ready()) await wait;
        this.#write(item);
        after = item.at;
      }
      if (page.length === 0) break;
    }
    writeEvent(this.#res, { event: 'end', data: { type: 'end', job: this.#job, state } });
    this.#end();
  }

  #ready(): Promise<void> | undefined {
    return this.#standing.ready() ?? drained(this.#res);
  }

  #write({ at, line: { job, cursor, line, stream } }: Item): void {
    if (!this.#standing.mayRead(LOG_EVENT) || this.#res.destroyed) return;
    writeEvent(this.#res, { event: 'log', id: at, data: { type: 'log', job, cursor, line, stream } });
  }

  #failed(err: unknown): void {
    this.#options.log.warn({ err, job: this.#job }, 'a log stream could not be read on');
    this.#end();
  }
}
