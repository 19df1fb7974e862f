import type { Logger } from 'pino';
import type { Directory } from '../core/directory.ts';
import { mayRead, topicMatches } from '../core/feed.ts';
import type { Address, Reply } from '../core/message.ts';
import { enqueue } from '../core/outgoing.ts';
import type { Own, Owned } from '../core/owned.ts';
import type { ReadTx, Store, Tx } from '../core/store.ts';
import { SECOND } from '../domain/clock.ts';
import { journal } from '../domain/journal.ts';
import { subscriptions } from '../domain/records.ts';
import type { Row } from '../domain/table.ts';

export interface RouterOptions {
  readonly store: Store;
  readonly workspace: string;
  /** One process routes at a time, to spare the others; that each entry is routed once does not depend on it. */
  readonly own: Own;
  readonly directory: Directory;
  readonly log: Logger;
}

type Subscription = Row<typeof subscriptions>;
type Entry = Row<typeof journal>;

const PAGE = 200;
/** Milliseconds in which entries gather, so that a busy journal costs one more commit now and then. */
const GATHER = 50;
/** Milliseconds until a look that came to nothing is repeated. */
const AGAIN = 2 * SECOND;
const DEAD = 'message.dead';
/** How the keys of messages begin that tell of one that was given up. */
const TOLD_DEAD = 'dead:';

/**
 * Routes journal entries to subscribed addresses. Each subscription has its cursor, moved in the transaction that
 * queues the messages: a crash repeats and loses nothing, and what was written while nobody routed is caught up.
 */
export class Router {
  readonly #options: RouterOptions;
  readonly #owned: Owned;
  #unlisten: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#owned = options.own('router', { begin: () => this.#begin(), end: () => this.#end() });
  }

  start(): Promise<void> {
    return this.#owned.start();
  }

  stop(): Promise<void> {
    return this.#owned.stop();
  }

  #begin(): void {
    const { store, workspace } = this.#options;
    this.#unlisten = store.onCommit((commit) => {
      if (commit.workspace === workspace && commit.entries.length > 0) this.#soon();
    });
    // What was left undone by whoever routed before has no entry that would come again.
    this.#soon();
  }

  async #end(): Promise<void> {
    this.#unlisten();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  #soon(wait = GATHER): void {
    if (!this.#owned.held) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const before = this.#running;
      const now = this.#route().catch((err: unknown) => {
        this.#options.log.error({ err }, 'subscriptions could not be routed; it is tried again shortly');
        this.#soon(AGAIN);
      });
      this.#running = Promise.all([before, now]).then(() => undefined);
    }, wait);
  }

  /** Looks without the write lock first: most entries are of interest to nobody. */
  async #route(): Promise<void> {
    const { store, workspace } = this.#options;
    const { due } = await store.read(workspace, findPage);
    if (due && (await store.transaction(workspace, (tx) => this.#page(tx)))) this.#soon();
  }

  /** Routes what one page holds. Returns whether there may be more. */
  async #page(tx: Tx): Promise<boolean> {
    const page = await findPage(tx);
    for (const sub of page.subs) await this.#deliver(tx, sub, page);
    return page.full;
  }

  /** Moves the cursor when something was sent, or when a whole page held nothing of interest. */
  async #deliver(tx: Tx, sub: Subscription, { entries, full }: Page): Promise<void> {
    const wanted = entries.filter((entry) => isWanted(sub, entry));
    if (wanted.length === 0 && !full) return;
    const address = sub.address as Address;
    const who = await this.#options.directory.byName(tx, sub.principal, sub.scopes);
    for (const entry of wanted) {
      if (!who || !mayRead(who, entry.event)) continue;
      const kind = entry.event === DEAD ? TOLD_DEAD : 'sub:';
      await enqueue(tx, { key: `${kind}${sub.ref}:${entry.seq}`, address, reply: notice(entry) });
    }
    const last = entries.at(-1)?.seq ?? 0;
    if (last > sub.cursor) await tx.update(subscriptions, sub, { cursor: last });
  }
}

interface Page {
  readonly subs: readonly Subscription[];
  /** The oldest that some subscription has not passed. */
  readonly entries: readonly Entry[];
  readonly full: boolean;
  /** Whether there is something to write: a message, or the cursors of a whole page. */
  readonly due: boolean;
}

async function findPage(tx: ReadTx): Promise<Page> {
  const subs = await tx.find(subscriptions, { limit: 5_000 });
  if (subs.length === 0) return { subs, entries: [], full: false, due: false };
  const entries = await tx.find(journal, {
    where: { seq: { above: Math.min(...subs.map((s) => s.cursor)) } },
    orderBy: [{ column: 'seq' }],
    limit: PAGE,
  });
  const full = entries.length === PAGE;
  const due = full || subs.some((sub) => entries.some((entry) => isWanted(sub, entry)));
  return { subs, entries, full, due };
}

function isWanted(sub: Subscription, { seq, event, target, details }: Entry): boolean {
  const { channel, to } = sub.address as Address;
  if (seq <= sub.cursor || !sub.patterns.some((pattern) => topicMatches(pattern, event))) return false;
  // That a message to this very address was given up is told elsewhere, and that the telling was given up nowhere, or
  // it would go round for ever.
  return event !== DEAD || (details?.['lane'] !== `${channel}:${to}` && !target.startsWith(TOLD_DEAD));
}

function notice({ event, target, actor, at, details, seq }: Entry): Reply {
  const facts = Object.entries(details ?? {})
    .flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'number' ? `${name}: ${value}` : [],
    )
    .slice(0, 6);
  return {
    text: [`${event} ${target} (${actor}, ${at.toISOString()})`, ...facts].join('\n'),
    data: { event, target, seq },
  };
}
