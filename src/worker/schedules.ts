import type { Logger } from 'pino';
import type { Own, Owned } from '../core/owned.ts';
import { planOf, sooner } from '../core/schedule-plan.ts';
import type { Services } from '../core/services.ts';
import type { Tx } from '../core/store.ts';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { schedules, type ScheduleRow } from '../domain/schedule.ts';
import { Rounds } from './rounds.ts';
import { failedInside, readFor, runAs, useUp, type Act } from './schedule-run.ts';

export interface SchedulerOptions {
  readonly services: Services;
  readonly workspace: string;
  /** One process looks at a time, to spare the others; that each time is run once does not depend on it. */
  readonly own: Own;
}

const LOOK_EVERY = SECOND;
const PAGE = 50;
/** No workspace has more. */
const ALL = 500;

/**
 * Runs what schedules are due. A time is used up in the transaction that runs its command, so that it runs once however
 * many processes look, and is not lost when one of them dies.
 */
export class Scheduler {
  readonly #services: Services;
  readonly #workspace: string;
  readonly #log: Logger;
  readonly #owned: Owned;
  readonly #rounds = new Rounds(() => this.tick(), LOOK_EVERY);
  /** By the clock at the last look; undefined where that may have been another process's. */
  #lookedAt: Date | undefined;
  #stopped = false;

  constructor({ services, workspace, own }: SchedulerOptions) {
    this.#services = services;
    this.#workspace = workspace;
    this.#log = services.log;
    this.#owned = own('schedules', {
      begin: () => {
        this.#lookedAt = undefined;
        this.#rounds.start();
      },
      end: () => this.#rounds.stop(),
    });
  }

  start(): Promise<void> {
    return this.#owned.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#owned.stop();
  }

  /** Runs what is due by now. Never rejects. */
  async tick(): Promise<void> {
    try {
      await this.#checkClock();
      for (let more = true; more && !this.#stopped; ) more = await this.#look();
    } catch (err) {
      this.#log.error({ err }, 'schedules could not be run; the next look tries again');
    }
  }

  /** Where the clock was put back, or ran ahead elsewhere, no schedule waits for the time that it had come to. */
  async #checkClock(): Promise<void> {
    const now = this.#services.clock.now();
    if (this.#lookedAt === undefined || now < this.#lookedAt) {
      const coming = await this.#services.store.read(this.#workspace, (tx) =>
        tx.find(schedules, { where: { paused: false, nextAt: { above: tx.now } }, limit: ALL }),
      );
      for (const row of coming) await this.#alone(row, () => this.#putRight(row, sooner(row, now)));
    }
    this.#lookedAt = now;
  }

  async #putRight(seen: ScheduleRow, nextAt: Date | undefined): Promise<boolean> {
    if (nextAt === undefined) return false;
    return this.#change(seen, async (tx, row) => {
      await tx.update(schedules, row, { nextAt });
      await tx.append({
        event: 'schedule.put_right',
        actor: 'system',
        target: row.ref,
        correlationId: tx.id(),
        cause: null,
        details: { name: row.name, from: row.nextAt?.toISOString() ?? null, nextAt: nextAt.toISOString() },
      });
    });
  }

  /** Returns whether something may be due still: further missed times, or a full page. */
  async #look(): Promise<boolean> {
    const due = await this.#services.store.read(this.#workspace, (tx) =>
      tx.find(schedules, {
        where: { paused: false, nextAt: { atMost: tx.now } },
        orderBy: [{ column: 'nextAt' }],
        limit: PAGE,
      }),
    );
    let ran = false;
    for (const row of due) ran = (await this.#alone(row, () => this.#use(row))) || ran;
    return ran;
  }

  /** What is wrong with one schedule holds up no other. */
  async #alone({ ref }: ScheduleRow, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return await work();
    } catch (err) {
      if (isOf(err, 'unavailable')) throw err;
      this.#log.error({ err, schedule: ref }, 'a schedule could not go on; the next look tries again');
      return false;
    }
  }

  /**
   * Uses up one time of a schedule; false when somebody else did, or changed it. What goes wrong inside undoes all that
   * was written and uses the time up as well: it would go wrong again and again otherwise.
   */
  async #use(row: ScheduleRow): Promise<boolean> {
    const plan = planOf(row, this.#services.clock.now());
    if (!plan) return false;
    const use = (act: Act) => this.#change(row, (tx, now) => useUp(tx, now, plan, act));
    try {
      // Before the transaction, which waits for nothing: reading may load what dates in words need.
      const reading = await readFor(this.#services, row, plan.asOf);
      return await use((tx, now, begun) => runAs(this.#services, tx, now, reading, begun));
    } catch (err) {
      if (isOf(err, 'stale')) return false;
      if (isOf(err, 'unavailable')) throw err;
      this.#log.error({ err, schedule: row.ref }, 'a scheduled command failed');
      return use(failedInside);
    }
  }

  /** Changes a schedule that is as it was seen; false when somebody used the time up, paused or removed it in between. */
  #change(seen: ScheduleRow, work: (tx: Tx, row: ScheduleRow) => Promise<void>): Promise<boolean> {
    return this.#services.store.transaction(this.#workspace, async (tx) => {
      const row = await tx.get(schedules, { id: seen.id });
      if (row?.version !== seen.version) return false;
      await work(tx, row);
      return true;
    });
  }
}

const isOf = (error: unknown, code: Refusal['code']): boolean =>
  error instanceof Refusal && error.code === code;
