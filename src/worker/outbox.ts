import Bottleneck from 'bottleneck';
import type { Logger } from 'pino';
import type { Notifier } from '../core/adapter.ts';
import type { Address } from '../core/message.ts';
import { replacedBy } from '../core/outgoing.ts';
import type { Own, Owned } from '../core/owned.ts';
import type { ReadTx, Store, Tx } from '../core/store.ts';
import type { Clock } from '../domain/clock.ts';
import { leases, outbox } from '../domain/records.ts';
import { afterFailure, GIVE_UP, outbound, type Change, type Message } from './delivery.ts';
import { insist } from './insist.ts';
import { record } from './recording.ts';

export interface OutboxOptions {
  readonly store: Store;
  readonly workspace: string;
  /** One process delivers for a channel, so that each destination's order and pace hold. */
  readonly own: Own;
  readonly clock: Clock;
  readonly log: Logger;
  readonly notifiers: ReadonlyMap<string, Notifier>;
  readonly random?: () => number;
  readonly delivered?: (channel: string, result: 'sent' | 'retry' | 'dead') => void;
}

const SENT = { state: 'sent', error: null, reply: {} } as const;

/** Milliseconds between two messages to one destination: Slack's documented one a second, mail a little less. */
const PACE: Readonly<Record<string, number>> = { slack: 1_050, email: 250 };
/** Channels whose messages have nothing to do with one another: one that waits for its next try holds up no other. */
const UNORDERED: ReadonlySet<string> = new Set(['webhook']);
/** Lanes of one channel at most that are sent on at once. */
const MOST_LANES = 50;
const LOOK_EVERY = 1_000;

/** A lane that is taken; while it waits for the far side to take it, others are sent on. */
interface Busy {
  readonly channel: string;
  waits: boolean;
}

/** What a process found when a channel became its own. */
interface Takeover {
  readonly since: Date;
  /** By id. */
  readonly heads: ReadonlySet<string>;
}
const MOST_INHERITED = 5_000;

/** What the process holds that delivers for a channel. */
export const outboxLease = (channel: string): string => `outbox:${channel}`;

/** Delivers what transactions queued: one lane per destination, at its pace, until accepted or dead. */
export class OutboxWorker {
  readonly #options: OutboxOptions;
  readonly #groups = new Map<string, Bottleneck.Group>();
  /** By lane: what is on its way. */
  readonly #busy = new Map<string, Busy>();
  #unlisten: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #again = false;
  #stopped = false;
  /** By channel: what this process delivers for while it is its own. */
  readonly #owned: ReadonlyMap<string, Owned>;
  /** By channel, while it is ours: what may have been sent by whoever had it before. */
  readonly #taken = new Map<string, Takeover>();
  readonly #sending = new Set<Promise<void>>();
  /** From then on nothing waits for its turn. */
  readonly #stopping = new AbortController();
  /** From then on it is not insisted on what could not be recorded. */
  readonly #giveUp = new AbortController();

  constructor(options: OutboxOptions) {
    const { own, notifiers } = options;
    this.#options = options;
    this.#owned = new Map(
      Array.from(notifiers.keys(), (channel) => [
        channel,
        own(outboxLease(channel), {
          begin: () => this.#begin(channel),
          end: () => this.#taken.delete(channel),
        }),
      ]),
    );
  }

  /** Resolves after the first look at what is its own. */
  async start(): Promise<void> {
    if (this.#owned.size === 0) return;
    this.#unlisten = this.#options.store.onCommit((commit) => {
      if (commit.workspace === this.#options.workspace && commit.tables.has(outbox.name)) this.wake();
    });
    this.#timer = setInterval(() => this.wake(), LOOK_EVERY);
    await Promise.all(Array.from(this.#owned.values(), (owned) => owned.start()));
  }

  wake(): void {
    this.#again = true;
    this.#pumping ??= this.#pump();
  }

  /** Starts no more deliveries and waits for those under way, until the deadline to record them; the rest stays queued. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    this.#stopping.abort();
    const giveUp = () => this.#giveUp.abort();
    if (deadline.aborted) giveUp();
    else deadline.addEventListener('abort', giveUp, { once: true });
    clearInterval(this.#timer);
    this.#unlisten();
    await this.#pumping;
    await Promise.all(this.#sending);
    await Promise.all(Array.from(this.#owned.values(), (owned) => owned.stop()));
  }

  /** The first of each lane alone can have been on its way. */
  async #begin(channel: string): Promise<void> {
    const { store, workspace, clock } = this.#options;
    const since = clock.now();
    const of = { state: 'queued', channel } as const;
    const heads = await store.read(workspace, (tx) =>
      tx.find(outbox, { first: { by: 'lane', of }, limit: MOST_INHERITED }),
    );
    this.#taken.set(channel, { since, heads: new Set(heads.map(({ id }) => id)) });
    this.wake();
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

  /** What is to be sent now on lanes that are free, of the channels that are ours. */
  async #due(): Promise<Message[]> {
    const { store, workspace } = this.#options;
    const ours = [...this.#owned.keys()].filter((channel) => this.#isOurs(channel));
    if (ours.length === 0) return [];
    const due = await store.read(workspace, (tx) =>
      Promise.all(ours.map((channel) => this.#dueOn(tx, channel))),
    );
    return due.flat();
  }

  /** The oldest message of each lane; one that waits for its next try holds its lane where there is an order to keep. */
  async #dueOn(tx: ReadTx, channel: string): Promise<Message[]> {
    const busy = [...this.#busy.values()].filter((each) => each.channel === channel);
    const room = MOST_LANES - busy.filter(({ waits }) => !waits).length;
    if (room <= 0) return [];
    const due = { nextAt: { atMost: tx.now } };
    const queued = { state: 'queued', channel } as const;
    const of = UNORDERED.has(channel) ? { ...queued, ...due } : queued;
    const heads = await tx.find(outbox, {
      where: due,
      first: { by: 'lane', of },
      orderBy: [{ column: 'id' }],
      limit: room + busy.length,
    });
    return heads.filter(({ lane }) => !this.#busy.has(lane)).slice(0, room);
  }

  #launch(message: Message): void {
    const busy = { channel: message.channel, waits: false };
    this.#busy.set(message.lane, busy);
    const sending = this.#lane(message)
      .schedule(() => this.#deliver(message, busy))
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

  async #deliver(waiting: Message, busy: Busy): Promise<void> {
    const { delivered, log, clock, random = Math.random } = this.#options;
    const send = await this.#turn(waiting, busy);
    const due = send && (await this.#stillDue(waiting));
    if (!due) return;
    const { message, replaces } = due;
    let change: Change;
    try {
      const sent = await send(
        message.address as Address,
        outbound(message, replaces, this.#mayBeSent(message)),
      );
      // A token of an approval mail is of no use here any more.
      change = { result: 'sent', patch: { ...SENT, externalId: sent.externalId } };
    } catch (error) {
      change = afterFailure(message, error, clock.now(), random);
      log.warn(
        { err: error, key: message.key, channel: message.channel, result: change.result },
        'a message was not accepted',
      );
    }
    await this.#record(message, change);
    delivered?.(message.channel, change.result);
  }

  /** What sends it, once the far side takes it; undefined where that is not before the stop. */
  async #turn({ channel, address, reply }: Message, busy: Busy): Promise<Notifier['send'] | undefined> {
    const notifier = this.#options.notifiers.get(channel);
    if (!notifier?.turn) return notifier && ((to, message) => notifier.send(to, message));
    const { replaces, follows } = reply as { replaces?: string; follows?: string };
    const place = replaces ?? follows;
    busy.waits = true;
    this.wake();
    try {
      const message = place === undefined ? {} : { replaces: place };
      return await notifier.turn(address as Address, message, this.#stopping.signal);
    } catch (error) {
      if (this.#stopped) return undefined;
      throw error;
    } finally {
      busy.waits = false;
    }
  }

  /** As it is now: while it waited for its turn it may have been changed, withdrawn, or become another process's to send. */
  async #stillDue({
    id,
    channel,
  }: Message): Promise<{ message: Message; replaces: string | undefined } | undefined> {
    const { store, workspace } = this.#options;
    return store.read(workspace, async (tx) => {
      const message = await tx.get(outbox, { id });
      if (message?.state !== 'queued' || !this.#isOurs(channel)) return undefined;
      return { message, replaces: await replacedBy(tx, message) };
    });
  }

  #isOurs(channel: string): boolean {
    return this.#owned.get(channel)?.held === true && this.#taken.has(channel);
  }

  /** Whether an earlier try, perhaps another process's, may have been accepted without our knowing. */
  #mayBeSent({ id, channel, attempts, createdAt }: Message): boolean {
    const taken = this.#taken.get(channel);
    // By whichever is known: whoever queued it may have another time of day.
    return attempts > 0 || (taken !== undefined && (createdAt < taken.since || taken.heads.has(id)));
  }

  /** Its lane stays taken until that is done: nobody would know otherwise that it was sent. */
  #record(message: Message, change: Change): Promise<void> {
    const { store, workspace } = this.#options;
    return insist(
      () => store.transaction(workspace, (tx) => record(tx, message, change)),
      this.#giveUp.signal,
    );
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

/** What is to be told at a prompt, where nobody sits at one: it is not kept for a later start. */
export async function findUnheard(tx: ReadTx, limit: number): Promise<Message[]> {
  const unheard = await tx.find(outbox, { where: { state: 'queued', channel: 'terminal' }, limit });
  const prompt = unheard.length > 0 && (await tx.get(leases, { id: outboxLease('terminal') }));
  return prompt && prompt.expiresAt > tx.now ? [] : unheard;
}

export async function settleUnheard(tx: Tx, limit: number): Promise<void> {
  for (const row of await findUnheard(tx, limit)) await tx.update(outbox, row, SENT);
}
