import type { Logger } from 'pino';
import type { Health } from '../core/adapter.ts';
import type { ChannelName } from '../core/message.ts';
import { reportDeaf, reportHearing } from '../core/outages.ts';
import type { Own, Owned } from '../core/owned.ts';
import type { ReadTx, Store, Tx } from '../core/store.ts';
import { watchLease } from '../core/worker-leases.ts';
import { MINUTE, SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { outages, type OutageRow } from '../domain/outage.ts';
import { leases } from '../domain/records.ts';
import { Rounds } from './rounds.ts';

interface ChannelHealth {
  readonly name: ChannelName;
  readonly health: Health;
}

export interface ChannelWatchOptions {
  readonly store: Store;
  readonly workspace: string;
  readonly own: Own;
  /** This process's name in leases. */
  readonly owner: string;
  readonly log: Logger;
  /** How the channels of this process are at present. */
  readonly channels: () => readonly ChannelHealth[];
  /** Milliseconds by a steady clock, which no change of the time of day moves. */
  readonly steady?: () => number;
  /** How long a channel is deaf before it is reported, in milliseconds; 30 s unless told. */
  readonly patience?: number;
}

/** Milliseconds. */
const LOOK_EVERY = 3 * SECOND;
const PATIENCE = 30 * SECOND;
/** Within this all processes have noticed by themselves that a channel hears again: Slack's token is tried once a minute. */
const ALL_NOTICE = MINUTE;

/** What is to be done about a channel. */
type Step =
  | { readonly is: 'report'; readonly name: ChannelName; readonly reason: string; readonly lasted: number }
  /** `end`: it hears; `adopt`: this process tells of it from now on; `leave`: it cannot tell any more. */
  | { readonly is: 'end' | 'adopt' | 'leave'; readonly row: OutageRow };

/**
 * Reports when a channel of this process has been deaf for a while, and when it hears again. Of several processes the
 * first to notice reports, and ends what it reported; when it is gone, or stands by, another that knows takes it over. A
 * channel on standby says nothing, as another process listens.
 */
export class ChannelWatch {
  readonly #options: ChannelWatchOptions;
  /** Held for as long as this process watches: what it reported is its own while it does. */
  readonly #alive: Owned;
  readonly #rounds = new Rounds(() => this.look(), LOOK_EVERY);
  /** Since when a channel has been deaf, by the steady clock. */
  readonly #deaf = new Map<ChannelName, number>();
  /** The outages that stood at the last look, whoever reported them. */
  #open: ReadonlySet<string> = new Set();

  constructor(options: ChannelWatchOptions) {
    this.#options = options;
    this.#alive = options.own(watchLease(options.owner), {});
  }

  start(): Promise<void> {
    this.#rounds.start();
    return this.#alive.start();
  }

  /** Reports nothing more: what is open is for another process, or for the next start. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.#alive.stop();
  }

  /** One look. Never rejects. */
  async look(): Promise<void> {
    const { store, workspace, channels, log } = this.#options;
    const states = channels();
    this.#note(states);
    try {
      // Without the write lock: there is nearly always nothing to do.
      if ((await store.read(workspace, (tx) => this.#steps(tx, states))).length === 0) return;
      await store.transaction(workspace, async (tx) => {
        for (const step of await this.#steps(tx, states)) await this.#take(tx, step, states);
      });
    } catch (err) {
      // Another process was quicker; the next look sees what it wrote.
      if (err instanceof Refusal && (err.code === 'conflict' || err.code === 'stale')) return;
      // While the database is away every channel is deaf. Only one that stays so afterwards is worth telling.
      this.#deaf.clear();
      log.warn({ err }, 'the watch over the channels could not look; the next look tries again');
    }
  }

  #note(states: readonly ChannelHealth[]): void {
    for (const { name, health } of states) {
      if (health.state !== 'deaf') this.#deaf.delete(name);
      else if (!this.#deaf.has(name)) this.#deaf.set(name, this.#now());
    }
  }

  async #steps(tx: ReadTx, states: readonly ChannelHealth[]): Promise<Step[]> {
    const rows = new Map((await tx.find(outages)).map((row) => [row.id, row]));
    this.#noteEnds(rows);
    const alive = await reportersAlive(tx, [...rows.values()]);
    return states.flatMap(({ name, health }) => {
      const row = rows.get(name);
      const step = row ? this.#stepWith(row, alive, health) : this.#stepWithout(name, health);
      return step ? [step] : [];
    });
  }

  /** Another process heard again first: what is still deaf here then belongs to that outage, and is not told as another. */
  #noteEnds(rows: ReadonlyMap<string, OutageRow>): void {
    for (const name of this.#deaf.keys())
      if (this.#open.has(name) && !rows.has(name)) this.#deaf.set(name, this.#now() + ALL_NOTICE);
    this.#open = new Set(rows.keys());
  }

  #stepWithout(name: ChannelName, health: Health): Step | undefined {
    const { patience = PATIENCE } = this.#options;
    const lasted = this.#now() - (this.#deaf.get(name) ?? this.#now());
    if (health.state !== 'deaf' || lasted < patience || !this.#alive.held) return undefined;
    return { is: 'report', name, reason: health.reason, lasted };
  }

  #stepWith(row: OutageRow, alive: ReadonlySet<string>, { state }: Health): Step | undefined {
    const mine = row.reporter === this.#options.owner;
    if (!mine && row.reporter !== null && alive.has(row.reporter)) return undefined;
    if (state === 'on') return { is: 'end', row };
    if (state === 'deaf') return mine || !this.#alive.held ? undefined : { is: 'adopt', row };
    return mine ? { is: 'leave', row } : undefined;
  }

  async #take(tx: Tx, step: Step, states: readonly ChannelHealth[]): Promise<void> {
    const { owner: reporter } = this.#options;
    switch (step.is) {
      case 'report': {
        const { name: channel, reason, lasted } = step;
        const since = new Date(tx.now.getTime() - lasted);
        return reportDeaf(tx, { channel, reason, since, reporter }, (name) => speaks(states, name));
      }
      case 'end':
        return reportHearing(tx, step.row);
      default:
        await tx.update(outages, step.row, { reporter: step.is === 'adopt' ? reporter : null });
    }
  }

  #now(): number {
    const { steady = () => performance.now() } = this.#options;
    return steady();
  }
}

/** Which of those who reported still watch. */
async function reportersAlive(tx: ReadTx, rows: readonly OutageRow[]): Promise<ReadonlySet<string>> {
  const reporters = [...new Set(rows.flatMap(({ reporter }) => (reporter === null ? [] : [reporter])))];
  if (reporters.length === 0) return new Set();
  const id = { in: reporters.map(watchLease) };
  const held = await tx.find(leases, { where: { id, expiresAt: { above: tx.now } } });
  return new Set(held.map(({ holder }) => holder));
}

/** Whether people can be told on that channel: here, or by the process that listens to it. A prompt is only ever here. */
function speaks(states: readonly ChannelHealth[], channel: ChannelName): boolean {
  const state = states.find(({ name }) => name === channel)?.health.state;
  return state === 'on' || state === 'standby';
}
