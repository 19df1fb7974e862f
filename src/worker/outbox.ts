import Bottleneck from 'bottleneck';
import type { Logger } from 'pino';
import type { Notifier } from '../core/adapter.ts';
import { holdLeases, leaseHolds, letGo, standing, type Lease } from '../core/leases.ts';
import { buryReport } from '../core/jobs/dead-letters.ts';
import { reportedJob } from '../core/jobs/report-keys.ts';
import type { Address, Reply } from '../core/message.ts';
import { enqueue } from '../core/outgoing.ts';
import type { ReadTx, Store, Tx } from '../core/store.ts';
import { clip } from '../domain/clip.ts';
import { DAY, HOUR, SECOND, type Clock } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { leases, outbox } from '../domain/records.ts';
import type { Patch, Row } from '../domain/table.ts';

export interface OutboxOptions {
  readonly store: Store;
  readonly workspace: string;
  /** Unique among processes: one of them delivers for a channel, so that each destination's order and pace hold. */
  readonly owner: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly notifiers: ReadonlyMap<string, Notifier>;
  readonly random?: () => number;
  readonly delivered?: (channel: string, result: 'sent' | 'retry' | 'dead') => void;
}

type Message = Row<typeof outbox>;

/** How a delivery ended, and what is written of it. */
interface Change {
  readonly result: 'sent' | 'retry' | 'dead';
  readonly patch: Patch<typeof outbox>;
}

const SENT = { state: 'sent', error: null, reply: {} } as const;

/** Milliseconds between two messages to one destination: Slack's documented one a second, mail a little less. */
const PACE: Readonly<Record<string, number>> = { slack: 1_050, email: 250 };
/** Channels whose messages have nothing to do with one another: one that waits for its next try holds up no other. */
const UNORDERED: ReadonlySet<string> = new Set(['webhook']);
/** Lanes of one channel at most that are sent on at once. */
const MOST_LANES = 50;
const LOOK_EVERY = 1_000;
/** What the process holds that delivers for a channel. */
export const outboxLease = (channel: string): string => `outbox:${channel}`;
/** Milliseconds after which another process takes over from one that is gone. */
const LEASE_TIME = 10 * SECOND;
const FIRST_WAIT = 2 * SECOND;
const LONGEST_WAIT = 4 * HOUR;
/** How long a message is tried before it is given up (RFC 5321 section 4.5.4.1 asks for days). */
const GIVE_UP = 2 * DAY;

/** Delivers what transactions queued: one lane per destination, at its pace, until accepted or dead. */
export class OutboxWorker {
  readonly #options: OutboxOptions;
  readonly #groups = new Map<string, Bottleneck.Group>();
  /** Lane → channel of what is on its way. */
  readonly #busy = new Map<string, string>();
  #unlisten: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  /** By channel: those that this process delivers for. */
  #leases: ReadonlyMap<string, Lease> = new Map();
  readonly #sending = new Set<Promise<void>>();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#options.notifiers.size === 0) return;
    this.#unlisten = this.#options.store.onCommit((commit) => {
      if (commit.workspace === this.#options.workspace && commit.tables.has(outbox.name)) this.wake();
    });
    this.#timer = setInterval(() => this.wake(), LOOK_EVERY);
    this.wake();
  }

  wake(): void {
    this.#again = true;
    this.#pumping ??= this.#pump();
  }

  /** Starts no more deliveries and waits for those under way; the rest stays queued. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#unlisten();
    await this.#pumping;
    await Promise.all(this.#sending);
    const { store, workspace, log } = this.#options;
    await letGo(store, workspace, this.#leases.values(), log);
  }

  async #pump(): Promise<void> {
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        for (const message of await this.#due()) this.#launch(message);
      }
    } catch (err) {
      this.#options.log.error({ err }, 'the outbox could not be read; it is looked at again shortly');
    } finally {
      this.#pumping = undefined;
    }
  }

  /** What is to be sent now, looked for without the write lock: with nothing to do no process disturbs another. */
  async #due(): Promise<Message[]> {
    const { store, workspace, owner } = this.#options;
    const { due, channels } = await store.read(workspace, (tx) => this.#look(tx));
    if (channels.length === 0) return [];
    return store.transaction(workspace, async (tx) => {
      this.#leases = await holdLeases(tx, channels.map(outboxLease), owner, LEASE_TIME);
      const rows = await tx.find(outbox, { where: { id: { in: due }, state: 'queued' }, limit: due.length });
      return rows.filter((m) => this.#leases.has(outboxLease(m.channel)) && m.nextAt <= tx.now);
    });
  }

  /**
   * What is due on lanes that are free. With it the channels to deliver for, those with messages on their way included,
   * less those of other processes.
   */
  async #look(tx: ReadTx): Promise<{ due: string[]; channels: string[] }> {
    const { notifiers, owner } = this.#options;
    const heads = (
      await Promise.all([...notifiers.keys()].map((channel) => this.#dueOn(tx, channel)))
    ).flat();
    const wanted = new Set([...heads.map((m) => m.channel), ...this.#busy.values()]);
    if (wanted.size === 0) return { due: [], channels: [] };
    const rows = await tx.find(leases, { where: { id: { in: [...wanted].map(outboxLease) } } });
    const taken = new Set(
      rows.filter((row) => standing(row, owner, tx.now, LEASE_TIME) === 'taken').map((row) => row.id),
    );
    const due = heads.filter((m) => !taken.has(outboxLease(m.channel))).map((m) => m.id);
    return { due, channels: [...wanted].filter((channel) => !taken.has(outboxLease(channel))) };
  }

  /** The oldest message of each lane; one that waits for its next try holds its lane where there is an order to keep. */
  async #dueOn(tx: ReadTx, channel: string): Promise<Message[]> {
    const busy = [...this.#busy.values()].filter((each) => each === channel).length;
    if (busy >= MOST_LANES) return [];
    const due = { nextAt: { atMost: tx.now } };
    const queued = { state: 'queued', channel } as const;
    const of = UNORDERED.has(channel) ? { ...queued, ...due } : queued;
    const heads = await tx.find(outbox, {
      where: due,
      first: { by: 'lane', of },
      orderBy: [{ column: 'id' }],
      limit: MOST_LANES + busy,
    });
    return heads.filter(({ lane }) => !this.#busy.has(lane)).slice(0, MOST_LANES - busy);
  }

  #launch(message: Message): void {
    this.#busy.set(message.lane, message.channel);
    const sending = this.#lane(message)
      .schedule(() => this.#deliver(message))
      .catch((err: unknown) =>
        this.#options.log.error({ err, key: message.key }, 'a delivery could not be recorded'),
      )
      .finally(() => {
        this.#busy.delete(message.lane);
        this.#sending.delete(sending);
        if (!this.#stopped) this.wake();
      });
    this.#sending.add(sending);
  }

  /** A limiter per destination; one that nobody used for some minutes is forgotten. */
  #lane({ lane, channel }: Message): Bottleneck {
    let group = this.#groups.get(channel);
    if (!group) {
      group = new Bottleneck.Group({ maxConcurrent: 1, minTime: PACE[channel] ?? 0 });
      this.#groups.set(channel, group);
    }
    return group.key(lane);
  }

  async #deliver(message: Message): Promise<void> {
    const { store, workspace, notifiers, delivered, log } = this.#options;
    const { reply, replaces } = message.reply as { reply: Reply; replaces?: string };
    const outbound = { key: message.key, reply, ...(replaces !== undefined && { replaces }) };
    // While it waited for its turn it may have been withdrawn, or become another process's to send.
    const lease = this.#leases.get(outboxLease(message.channel));
    const due = await store.transaction(workspace, async (tx) => {
      const row = await tx.get(outbox, { id: message.id });
      return row?.state === 'queued' && lease !== undefined && (await leaseHolds(tx, lease));
    });
    if (!due) return;
    let change: Change;
    try {
      const sent = await notifiers.get(message.channel)?.send(message.address as Address, outbound);
      // A token of an approval mail is of no use here any more.
      change = { result: 'sent', patch: { ...SENT, externalId: sent?.externalId ?? null } };
    } catch (error) {
      change = this.#failed(message, error);
      log.warn(
        { err: error, key: message.key, channel: message.channel, result: change.result },
        'a message was not accepted',
      );
    }
    await store.transaction(workspace, (tx) => record(tx, message, change));
    delivered?.(message.channel, change.result);
  }

  #failed(message: Message, error: unknown): Change {
    const { clock, random = Math.random } = this.#options;
    const now = clock.now().getTime();
    const text = error instanceof Error ? clip(error.message, 500) : 'unknown error';
    const passing =
      !(error instanceof Refusal) || error.code === 'rate_limited' || error.code === 'unavailable';
    if (!passing || now - message.createdAt.getTime() > GIVE_UP)
      return { result: 'dead', patch: { state: 'dead', error: text, reply: {} } };
    const asked = (error instanceof Refusal && error.retryAfter) || 0;
    const pause = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** message.attempts) * (0.5 + random() / 2);
    const wait = Math.max(asked, pause);
    const nextAt = new Date(now + wait);
    return { result: 'retry', patch: { attempts: message.attempts + 1, nextAt, error: text } };
  }
}

/**
 * Gives up what no channel took for days: news that old is not sent when the channel is turned on again. Takes as many
 * as `limit` and returns whether there may be more.
 */
export async function giveUpOld(tx: Tx, limit: number): Promise<boolean> {
  const createdAt = { below: new Date(tx.now.getTime() - GIVE_UP) };
  const old = await tx.find(outbox, { where: { state: 'queued', createdAt }, limit });
  const error = 'its channel was off for two days';
  for (const row of old)
    await record(tx, row, { result: 'dead', patch: { state: 'dead', error, reply: {} } });
  return old.length === limit;
}

async function record(tx: Tx, message: Message, { result, patch }: Change): Promise<void> {
  const row = await tx.get(outbox, { id: message.id });
  if (!row) return;
  if (row.state === 'withdrawn') return replaceWithdrawn(tx, row, patch.externalId ?? null);
  const { key: target, channel, lane } = row;
  const dead = result === 'dead';
  // The report of a job's end is kept as it is, for whoever redrives it.
  const kept = dead && reportedJob(target) !== undefined && { reply: row.reply };
  await tx.update(outbox, row, { ...patch, ...kept });
  if (!dead) return;
  await buryReport(tx, target, patch.error ?? 'it was given up');
  await tx.append({
    event: 'message.dead',
    actor: 'system',
    target,
    correlationId: row.id,
    cause: null,
    details: { channel, lane, error: patch.error ?? null },
  });
}

/** It was withdrawn while it was on its way: what was sent is replaced by what holds now. */
async function replaceWithdrawn(tx: Tx, row: Message, externalId: string | null): Promise<void> {
  const { reply } = row.reply as { reply?: Reply };
  if (externalId === null || reply === undefined) return;
  await tx.update(outbox, row, { externalId });
  const address = row.address as Address;
  await enqueue(tx, { key: `${row.key}:settled`, address, reply, replaces: externalId });
}
