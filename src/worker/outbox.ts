import Bottleneck from 'bottleneck';
import type { Logger } from 'pino';
import type { Notifier } from '../core/adapter.ts';
import { buryReport } from '../core/jobs/dead-letters.ts';
import { reportedJob } from '../core/jobs/report-keys.ts';
import type { Address, Reply } from '../core/message.ts';
import { enqueue } from '../core/outgoing.ts';
import type { Own, Owned } from '../core/owned.ts';
import type { ReadTx, Store, Tx } from '../core/store.ts';
import { tellUndelivered } from '../core/undelivered.ts';
import type { Clock } from '../domain/clock.ts';
import { leases, outbox } from '../domain/records.ts';
import { afterFailure, GIVE_UP, outbound, type Change, type Message } from './delivery.ts';
import { insist } from './insist.ts';

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
/** What the process holds that delivers for a channel. */
export const outboxLease = (channel: string): string => `outbox:${channel}`;

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
  /** By channel: what this process delivers for while it is its own. */
  readonly #owned: ReadonlyMap<string, Owned>;
  /** By channel: since when. What is older may have been sent by whoever had it before. */
  readonly #ownedSince = new Map<string, Date>();
  readonly #sending = new Set<Promise<void>>();
  /** From then on it is not insisted on what could not be recorded. */
  readonly #giveUp = new AbortController();

  constructor(options: OutboxOptions) {
    const { own, notifiers } = options;
    this.#options = options;
    const begin = (channel: string) => {
      this.#ownedSince.set(channel, options.clock.now());
      this.wake();
    };
    this.#owned = new Map(
      Array.from(notifiers.keys(), (channel) => [
        channel,
        own(outboxLease(channel), { begin: () => begin(channel) }),
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
    const giveUp = () => this.#giveUp.abort();
    if (deadline.aborted) giveUp();
    else deadline.addEventListener('abort', giveUp, { once: true });
    clearInterval(this.#timer);
    this.#unlisten();
    await this.#pumping;
    await Promise.all(this.#sending);
    await Promise.all(Array.from(this.#owned.values(), (owned) => owned.stop()));
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
    const ours = [...this.#owned].flatMap(([channel, owned]) => (owned.held ? [channel] : []));
    if (ours.length === 0) return [];
    const due = await store.read(workspace, (tx) =>
      Promise.all(ours.map((channel) => this.#dueOn(tx, channel))),
    );
    return due.flat();
  }

  /** The oldest message of each lane; one that waits for its next try holds its lane where there is an order to keep. */
  async #dueOn(tx: ReadTx, channel: string): Promise<Message[]> {
    const busy = [...this.#busy.values()].filter((each) => each === channel).length;
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

  async #deliver({ id, channel }: Message): Promise<void> {
    const { notifiers, delivered, log, clock, random = Math.random } = this.#options;
    const message = await this.#stillDue(id, channel);
    if (!message) return;
    let change: Change;
    try {
      const sent = await notifiers
        .get(channel)
        ?.send(message.address as Address, outbound(message, this.#ownedSince.get(channel)));
      // A token of an approval mail is of no use here any more.
      change = { result: 'sent', patch: { ...SENT, externalId: sent?.externalId ?? null } };
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

  /** As it is now: while it waited for its turn it may have been changed, withdrawn, or become another process's to send. */
  async #stillDue(id: string, channel: string): Promise<Message | undefined> {
    const { store, workspace } = this.#options;
    const row = await store.read(workspace, (tx) => tx.get(outbox, { id }));
    return row?.state === 'queued' && this.#owned.get(channel)?.held === true ? row : undefined;
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

async function record(tx: Tx, message: Message, { result, patch, gone }: Change): Promise<void> {
  const row = await tx.get(outbox, { id: message.id });
  if (!row) return;
  if (row.state === 'withdrawn') return replaceWithdrawn(tx, row, patch.externalId ?? null);
  // Whoever had the channel meanwhile has told how it ended.
  if (row.state !== 'queued') return;
  if (result === 'sent' && row.version !== message.version) return sendChange(tx, row, patch.externalId);
  const { key: target, channel, lane } = row;
  const dead = result === 'dead';
  // The report of a job's end is kept as it is, for whoever redrives it.
  const kept = dead && reportedJob(target) !== undefined && { reply: row.reply };
  await tx.update(outbox, row, { ...patch, ...kept });
  if (!dead) return;
  await buryReport(tx, target, patch.error ?? 'it was given up');
  if (gone) await tellUndelivered(tx, row, patch.error ?? 'it is gone');
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

/** It was changed while it was on its way: what it says now is sent in the place of what it said. */
async function sendChange(tx: Tx, row: Message, externalId: string | null | undefined): Promise<void> {
  const replaces = externalId === null ? {} : { replaces: externalId };
  const reply = { ...(row.reply as object), ...replaces };
  await tx.update(outbox, row, {
    reply,
    attempts: 0,
    nextAt: tx.now,
    error: null,
    ...(externalId !== undefined && { externalId }),
  });
}
