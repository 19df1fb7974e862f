import type { Feed } from '../../src/core/feed.ts';
import type { Standing } from '../../src/core/feed-standing.ts';
import { PAGE, Tail } from '../../src/core/feed-tail.ts';
import { anyMatches } from '../../src/core/feed-topics.ts';
import { EntryItem, LogItem } from './item.ts';

/** Jobs whose log lines one socket follows at once; beyond, the one followed longest makes room. */
const MOST_LOGS = 1_000;
const LOG = 'log.';
/** What a log line is read under: the permission of its job. */
const LOG_EVENT = 'job.log';

export interface SubscriptionOptions {
  readonly workspace: string;
  readonly feed: Feed;
  readonly standing: Standing;
  readonly send: (frame: Buffer | string) => void;
  /** Until when a slow socket has to be waited for. */
  readonly room: () => Promise<void> | undefined;
  readonly failed: (error: unknown) => void;
}

/** What one socket listens to: topics of the journal, one stream in sequence, and log lines, one stream per job. */
export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #topics = new Set<string>();
  readonly #matches = new Map<string, boolean>();
  readonly #logs = new Map<string, Tail<LogItem>>();
  #entries: Tail<EntryItem> | undefined;
  #stopped = false;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
  }

  get topics(): readonly string[] {
    return [...this.#topics];
  }

  /**
   * Adds topics. With `after` the journal's stream goes on after that sequence for all topics, so entries may come
   * again; without, a stream that runs goes on and a new one begins now. Returns how to let it run, once the client
   * was told, and the sequence it goes on after.
   */
  async add(
    topics: readonly string[],
    after?: number,
    cursor = 0,
  ): Promise<{ after: number; run: () => void }> {
    const { feed, workspace, send } = this.#options;
    const head = await feed.head(workspace);
    for (const topic of topics) this.#topics.add(topic);
    this.#matches.clear();
    const logs = topics
      .filter((topic) => topic.startsWith(LOG) && topic !== 'log.*')
      .map((t) => t.slice(LOG.length));
    const wantsEntries = topics.some((topic) => !topic.startsWith(LOG));
    let begin: (() => void) | undefined;
    if (wantsEntries && (after !== undefined || this.#entries === undefined)) {
      this.#entries?.stop();
      const tail = this.#tailEntries(Math.min(after ?? head, head));
      this.#entries = tail;
      begin = () => {
        // It was dropped or begun again before the client was told.
        if (this.#entries !== tail) return;
        if (after !== undefined && after > head) send(gapFrame(head + 1, after));
        tail.start();
      };
    }
    const run = () => {
      if (this.#stopped) return;
      begin?.();
      for (const job of logs) if (this.#wantsLog(job)) this.#follow(job, cursor);
    };
    return { after: this.#entries?.position ?? head, run };
  }

  /** Drops topics; all of them unless given. */
  remove(topics: readonly string[] = this.topics): void {
    for (const topic of topics) this.#topics.delete(topic);
    this.#matches.clear();
    for (const [job, tail] of this.#logs) {
      if (this.#wantsLog(job)) continue;
      tail.stop();
      this.#logs.delete(job);
    }
    if (this.topics.some((topic) => !topic.startsWith(LOG))) return;
    this.#entries?.stop();
    this.#entries = undefined;
  }

  /** A live entry. */
  entry(item: EntryItem): void {
    this.#entries?.offer(item);
  }

  /** A live log line. */
  line(item: LogItem): void {
    const tail = this.#logs.get(item.job);
    if (tail) tail.offer(item);
    else if (this.#topics.has('log.*')) this.#follow(item.job, item.at - 1);
  }

  /** Holds every stream back until the reader's standing is known again. */
  recheck(): void {
    this.#entries?.start();
    for (const tail of this.#logs.values()) tail.start();
  }

  stop(): void {
    this.#stopped = true;
    this.#topics.clear();
    this.#entries?.stop();
    for (const tail of this.#logs.values()) tail.stop();
    this.#logs.clear();
  }

  #wantsLog(job: string): boolean {
    return this.#topics.has('log.*') || this.#topics.has(LOG + job);
  }

  #wants(event: string): boolean {
    let matches = this.#matches.get(event);
    if (matches === undefined) {
      matches = anyMatches(this.#topics, event);
      this.#matches.set(event, matches);
    }
    return matches && this.#options.standing.mayRead(event);
  }

  #tailEntries(position: number): Tail<EntryItem> {
    const { feed, workspace, send, failed } = this.#options;
    return new Tail<EntryItem>(position, {
      read: async (after) =>
        (await feed.history(workspace, after, PAGE)).map((entry) => new EntryItem(entry)),
      take: (item) => {
        if (this.#wants(item.event)) send(item.frame);
      },
      ready: () => this.#ready(),
      gap: (from, to) => send(gapFrame(from, to)),
      failed,
    });
  }

  #follow(job: string, cursor: number): void {
    const { feed, workspace, send, standing, failed } = this.#options;
    this.#logs.get(job)?.stop();
    this.#logs.delete(job);
    const [oldest] = this.#logs.keys();
    if (oldest !== undefined && this.#logs.size >= MOST_LOGS) {
      this.#logs.get(oldest)?.stop();
      this.#logs.delete(oldest);
    }
    const tail = new Tail<LogItem>(cursor, {
      read: async (after) => (await feed.logs(workspace, job, after, PAGE)).map((line) => new LogItem(line)),
      take: (item) => {
        if (standing.mayRead(LOG_EVENT)) send(item.frame);
      },
      ready: () => this.#ready(),
      failed,
    });
    this.#logs.set(job, tail);
    tail.start();
  }

  #ready(): Promise<void> | undefined {
    return this.#options.standing.ready() ?? this.#options.room();
  }
}

const gapFrame = (from: number, to: number): string => JSON.stringify({ type: 'gap', from, to });
