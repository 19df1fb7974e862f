import type { Logger } from 'pino';
import type { Reading } from '../core/language.ts';
import type { Address, Answer } from '../core/message.ts';
import { enqueue } from '../core/outgoing.ts';
import type { Own, Owned } from '../core/owned.ts';
import { MOST_MISSED, planOf, type Plan } from '../core/schedule-plan.ts';
import type { Services } from '../core/services.ts';
import type { Tx } from '../core/store.ts';
import { scheduledCall } from '../core/system-context.ts';
import { mayRunUnattended } from '../core/unattended.ts';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import type { JsonObject } from '../domain/json.ts';
import { principals, type Principal } from '../domain/principal.ts';
import { redact, redactText } from '../domain/redact.ts';
import { schedules, type ScheduleRow } from '../domain/schedule.ts';

export interface SchedulerOptions {
  readonly services: Services;
  readonly workspace: string;
  /** One process looks at a time, to spare the others; that each time is run once does not depend on it. */
  readonly own: Own;
}

const LOOK_EVERY = SECOND;
const PAGE = 50;

/** What became of a time that was due. */
interface Outcome {
  readonly ok: boolean;
  readonly text: string;
  /** Whoever wrote it may not run it any more: it is paused until somebody looks. */
  readonly pause: boolean;
}

/**
 * Runs what schedules are due. A time is used up in the transaction that runs its command, so that it runs once however
 * many processes look, and is not lost when one of them dies.
 */
export class Scheduler {
  readonly #services: Services;
  readonly #workspace: string;
  readonly #log: Logger;
  readonly #owned: Owned;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor({ services, workspace, own }: SchedulerOptions) {
    this.#services = services;
    this.#workspace = workspace;
    this.#log = services.log;
    this.#owned = own('schedules', {
      begin: () => {
        this.#timer = setInterval(() => {
          this.#running = this.#running.then(() => this.tick());
        }, LOOK_EVERY);
      },
      end: async () => {
        clearInterval(this.#timer);
        await this.#running;
      },
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
      for (let more = true; more && !this.#stopped; ) more = await this.#look();
    } catch (err) {
      this.#log.error({ err }, 'schedules could not be run; the next look tries again');
    }
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
    for (const row of due) ran = (await this.#use(row)) || ran;
    return ran;
  }

  /** Uses up one time of a schedule; false when somebody else did, or changed it. */
  async #use(row: ScheduleRow): Promise<boolean> {
    // Before the transaction, which waits for nothing: reading may load what dates in words need.
    const reading = await this.#read(row);
    try {
      return await this.#services.store.transaction(this.#workspace, async (tx) => {
        const now = await tx.get(schedules, { id: row.id });
        const plan = now?.version === row.version && !now.paused ? planOf(now, tx.now) : null;
        if (!now || !plan) return false;
        await this.#run(tx, now, plan, reading);
        return true;
      });
    } catch (error) {
      if (error instanceof Refusal && (error.code === 'stale' || error.code === 'conflict')) return false;
      throw error;
    }
  }

  async #read({ text, command, args, createdBy }: ScheduleRow): Promise<Reading | Refusal> {
    const { language, clock } = this.#services;
    try {
      const reading = await language.read(text === null ? { command, args } : { text }, {
        now: clock.now(),
        who: createdBy,
      });
      if (reading.command.name === command && mayRunUnattended(command)) return reading;
      return new Refusal('conflict', `it would now be read as ${reading.command.name}; write it anew`);
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  async #run(tx: Tx, row: ScheduleRow, plan: Plan, reading: Reading | Refusal): Promise<void> {
    const { run, next: nextAt, missed } = plan;
    const correlationId = tx.id();
    const tell = (event: string, details: JsonObject, cause: string | null = null) =>
      tx.append({ event, actor: 'system', target: row.ref, correlationId, cause, details });
    if (missed > 0)
      await tell('schedule.missed', { times: missed, more: missed > MOST_MISSED, policy: row.missed });
    if (!run) {
      await tx.update(schedules, row, { nextAt });
      return;
    }
    const { command, args, name } = row;
    const at = run.toISOString();
    const { id: cause } = await tell('schedule.ran', { name, at, command, args: redact(args) });
    const { ok, text, pause } = await this.#act(tx, row, reading, { correlationId, cause });
    if (!ok) {
      await tell(
        pause ? 'schedule.refused' : 'schedule.failed',
        { name, at, reason: text, paused: pause },
        cause,
      );
      await this.#complain(tx, row, at, text, pause);
    }
    await tx.update(schedules, row, {
      nextAt,
      lastAt: run,
      runs: row.runs + 1,
      lastOutcome: text,
      ...(pause && { paused: true }),
    });
  }

  /** As whoever wrote it, with the permissions they hold today and the scopes of the key they used. */
  async #act(
    tx: Tx,
    row: ScheduleRow,
    reading: Reading | Refusal,
    { correlationId, cause }: { correlationId: string; cause: string },
  ): Promise<Outcome> {
    const who = await this.#author(tx, row);
    if (!who) {
      const text = `${row.createdBy}, who wrote ${row.ref}, is no longer known here`;
      return { ok: false, text, pause: true };
    }
    if (reading instanceof Refusal) return { ok: false, text: redactText(reading.message), pause: false };
    const { ref, scopes } = row;
    const replyTo = (row.replyTo ?? undefined) as Address | undefined;
    const call = scheduledCall(this.#services, tx, { ref, scopes, correlationId, cause, replyTo });
    let answer: Answer;
    try {
      answer = await call.execute(reading, who, undefined);
    } catch (err) {
      // Its writes are undone, and its time is used up: it would fail again and again otherwise.
      this.#log.error({ err, schedule: ref }, 'a scheduled command failed');
      return { ok: false, text: 'something went wrong inside; see the server log', pause: false };
    }
    const text = redactText(answer.reply.text.split('\n', 1)[0] ?? '').slice(0, 300);
    return { ok: answer.status !== 'error', text, pause: answer.error?.code === 'forbidden' };
  }

  async #author(tx: Tx, { createdBy, createdAt, scopes }: ScheduleRow): Promise<Principal | undefined> {
    const who = await this.#services.directory.byName(tx, createdBy, scopes);
    // A name that was given away in between is another person's now.
    const entered = (await tx.get(principals, { name: createdBy }))?.createdAt;
    return entered && entered > createdAt ? undefined : who;
  }

  async #complain(tx: Tx, row: ScheduleRow, at: string, reason: string, paused: boolean): Promise<void> {
    if (row.replyTo === null) return;
    const then = paused ? `\nIt is paused: \`schedule resume ${row.ref}\` once that is settled.` : '';
    const reply = { text: `${row.ref} (${row.name}) did not run at ${at}: ${reason}${then}` };
    await enqueue(tx, { key: `schedule:${row.ref}:${at}`, address: row.replyTo as Address, reply });
  }
}
