import type { Logger } from 'pino';
import type { Directory } from '../core/directory.ts';
import { mayRead, topicMatches } from '../core/feed.ts';
import { holdLease, letGo, standing, type Lease } from '../core/leases.ts';
import type { Address, Reply } from '../core/message.ts';
import { enqueue } from '../core/outgoing.ts';
import type { ReadTx, Store, Tx } from '../core/store.ts';
import { SECOND } from '../domain/clock.ts';
import { journal } from '../domain/journal.ts';
import { leases, subscriptions } from '../domain/records.ts';
import type { Row } from '../domain/table.ts';

export interface RouterOptions {
  readonly store: Store;
  readonly workspace: string;
  /** Unique among processes: one of them routes at a time. */
  readonly owner: string;
  readonly directory: Directory;
  readonly log: Logger;
}

type Subscription = Row<typeof subscriptions>;
type Entry = Row<typeof journal>;

const PAGE = 200;
const LEASE = 'router';
const LEASE_TIME = 10 * SECOND;
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
  #unlisten: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #lease: Lease | undefined;
  #stopped = false;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  start(): void {
    const { store, workspace } = this.#options;
    this.#unlisten = store.onCommit((commit) => {
      if (commit.workspace === workspace && commit.entries.length > 0) this.#soon();
    });
    this.#soon();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    clearTimeout(this.#timer);
    await this.#running;
    const { store, workspace, log } = this.#options;
    await letGo(store, workspace, [this.#lease], log);
  }

  #soon(wait = GATHER): void {
    if (this.#stopped) return;
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
    const { store, workspace, owner } = this.#options;
    const look = await store.read(workspace, async (tx) => {
      if (!(await findPage(tx)).due) return 'done';
      const lease = await tx.get(leases, { id: LEASE });
      return standing(lease, owner, tx.now, LEASE_TIME) === 'taken' ? 'not ours' : 'due';
    });
    const next = look === 'due' ? await store.transaction(workspace, (tx) => this.#page(tx)) : look;
    if (next === 'more') this.#soon();
    // Whoever holds the lease may be gone, and what it left undone has no entry that would come again.
    if (next === 'not ours') this.#soon(AGAIN);
  }

  async #page(tx: Tx): Promise<'more' | 'done' | 'not ours'> {
    this.#lease = await holdLease(tx, LEASE, this.#options.owner, LEASE_TIME);
    if (!this.#lease) return 'not ours';
    const page = await findPage(tx);
    for (const sub of page.subs) await this.#deliver(tx, sub, page);
    return page.full ? 'more' : 'done';
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
