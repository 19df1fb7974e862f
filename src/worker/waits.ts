import { compileCel, type CelProgram } from '../core/cel.ts';
import { mayRead, topicMatches } from '../core/feed.ts';
import { giveUpWait, resume } from '../core/jobs/waiting.ts';
import type { Services } from '../core/services.ts';
import type { ReadTx, Tx } from '../core/store.ts';
import { approvals } from '../domain/approval.ts';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { jobs, type JobRow, type Wait } from '../domain/job.ts';
import type { JsonObject } from '../domain/json.ts';
import { journal, published } from '../domain/journal.ts';
import { jobSteps, outputsOf } from '../domain/step.ts';
import type { Row, Where } from '../domain/table.ts';
import { Rounds } from './rounds.ts';

type Entry = Row<typeof journal>;
type EventWait = Extract<Wait, { kind: 'event' }>;
type Waiting = JobRow & { readonly waitFor: EventWait };

/** How often deadlines are looked at, and how long entries gather, in milliseconds. */
const LOOK_EVERY = SECOND;
const GATHER = 25;
/** Entries and jobs that are looked at in one go. */
const PAGE = 200;
/** Entries after which it is written down how far the journal was read; after a restart at most so many are read again. */
const KEPT_EVERY = 5_000;

/** What a job may have waited for, in order: the first of them that whoever asked for the job may read will do. */
interface Found {
  readonly job: Waiting;
  readonly met: readonly Entry[];
}

/**
 * Wakes jobs that wait: for an event, when one is written; for a time, when it has come; and gives up on those whose
 * deadline is over. Each process that runs it looks for itself, and the transaction that wakes a job sees to it that
 * one does. The journal tells which jobs wait, so that a look costs what was written and not how many wait; what was
 * written while nobody looked is caught up with, as each wait knows the sequence that it began at.
 */
export class Waits {
  readonly #services: Services;
  readonly #workspace: string;
  /** Those that wait for an event, by `jobs.ref`, as of `#cursor`; read anew while there is none. */
  readonly #waiting = new Map<string, Waiting>();
  /** The sequence up to which the journal was read, and that which was written down last. */
  #cursor = 0;
  #kept = 0;
  readonly #programs = new Map<string, CelProgram>();
  #unlisten: () => void = () => undefined;
  #soon: NodeJS.Timeout | undefined;
  readonly #rounds = new Rounds(() => this.#look(), LOOK_EVERY);

  constructor(services: Services, workspace: string) {
    this.#services = services;
    this.#workspace = workspace;
  }

  start(): void {
    this.#unlisten = this.#services.store.onCommit(({ workspace, entries }) => {
      if (workspace === this.#workspace && entries.some(({ event }) => this.#concerns(event)))
        this.#soon ??= setTimeout(() => {
          this.#soon = undefined;
          void this.look();
        }, GATHER);
    });
    this.#rounds.start();
    void this.look();
  }

  async stop(): Promise<void> {
    this.#unlisten();
    clearTimeout(this.#soon);
    await this.#rounds.stop();
  }

  /** One look, after the one under way. Never rejects. */
  look(): Promise<void> {
    return this.#rounds.now();
  }

  /** What began to wait may wait for anything. */
  #concerns(event: string): boolean {
    if (event === 'job.waiting') return true;
    for (const { waitFor } of this.#waiting.values()) if (topicMatches(waitFor.event, event)) return true;
    return false;
  }

  async #look(): Promise<void> {
    try {
      // An event that came in time counts, however late it is looked at.
      while (await this.#read()) continue;
      await this.#endLate();
    } catch (err) {
      this.#services.log.error({ err }, 'jobs that wait could not be looked at; it is tried again shortly');
    }
  }

  /** Reads one page of the journal. Returns whether there may be more. */
  async #read(): Promise<boolean> {
    const page = await this.#services.store.read(this.#workspace, async (tx) => {
      if (this.#waiting.size === 0) await this.#load(tx);
      if (this.#waiting.size === 0) return undefined;
      const entries = await tx.find(journal, {
        where: { seq: { above: this.#cursor } },
        orderBy: [{ column: 'seq' }],
        limit: PAGE,
      });
      await this.#follow(tx, entries);
      return { entries, found: await this.#match(tx, entries) };
    });
    if (!page) return false;
    for (const { job, met } of page.found)
      if (await this.#change(job, (tx, row) => this.#wake(tx, row, met))) this.#waiting.delete(job.ref);
    this.#cursor = page.entries.at(-1)?.seq ?? this.#cursor;
    if (this.#cursor - this.#kept >= KEPT_EVERY) await this.#keep();
    return page.entries.length === PAGE;
  }

  async #load(tx: ReadTx): Promise<void> {
    // What waits for the approval of its run has no time set.
    const all = await findAll(tx, { above: new Date(0) });
    for (const row of all) if (isForEvent(row)) this.#waiting.set(row.ref, row);
    this.#cursor = Math.min(...Array.from(this.#waiting.values(), ({ waitFor }) => waitFor.after));
    this.#kept = this.#cursor;
  }

  /** Takes in which jobs began to wait, and which no longer do. */
  async #follow(tx: ReadTx, entries: readonly Entry[]): Promise<void> {
    const changed = entries.filter(({ event }) => event === 'job.waiting' || event === 'job.queued');
    const refs = [...new Set(changed.map(({ target }) => target))];
    for (const ref of refs) this.#waiting.delete(ref);
    if (refs.length === 0) return;
    for (const row of await find(tx, { ref: { in: refs } }))
      if (isForEvent(row)) this.#waiting.set(row.ref, row);
  }

  async #match(tx: ReadTx, entries: readonly Entry[]): Promise<Found[]> {
    const byTopic = new Map<string, readonly Entry[]>();
    const about = (topic: string): readonly Entry[] => {
      const known = byTopic.get(topic) ?? entries.filter(({ event }) => topicMatches(topic, event));
      byTopic.set(topic, known);
      return known;
    };
    const named = [...this.#waiting.values()].flatMap((job): Found[] => {
      const { event, after } = job.waitFor;
      const met = about(event).filter(({ seq, at }) => seq > after && at <= (job.waitUntil ?? at));
      return met.length === 0 ? [] : [{ job, met }];
    });
    const outputs = await outputsFor(tx, named);
    return named.flatMap(({ job, met }): Found[] => {
      const { when } = job.waitFor;
      const steps = outputs.get(job.ref) ?? {};
      const good = met.filter(
        (entry) => when === undefined || this.#holds(when, { event: envelope(entry), args: job.args, steps }),
      );
      return good.length === 0 ? [] : [{ job, met: good }];
    });
  }

  /** An event that lacks what the condition asks about is not the one. */
  #holds(when: string, values: Readonly<Record<string, unknown>>): boolean {
    const program = this.#programs.get(when) ?? compileCel(when, ['event', 'args', 'steps']);
    this.#programs.set(when, program);
    try {
      return program.evaluate(values) === true;
    } catch (error) {
      if (error instanceof Refusal) return false;
      throw error;
    }
  }

  async #wake(tx: Tx, job: JobRow, met: readonly Entry[]): Promise<boolean> {
    const who = await this.#services.directory.byName(tx, job.requester, job.scopes);
    const event = met.find((entry) => who !== undefined && mayRead(who, entry.event));
    if (!event) return false;
    // The steps after it get all of it; whoever may read jobs but not this event learns only where it stands.
    return resume(tx, job, envelope(event), { seq: event.seq });
  }

  async #keep(): Promise<void> {
    for (const job of this.#waiting.values())
      await this.#change(job, (tx, row) => moveOn(tx, row, this.#cursor));
    this.#kept = this.#cursor;
  }

  async #endLate(): Promise<void> {
    // By the clock that the transaction goes by, which need not be this machine's.
    const late = await this.#services.store.read(this.#workspace, (tx) =>
      findAll(tx, { above: new Date(0), atMost: tx.now }),
    );
    for (const job of late) await this.#change(job, overdue);
  }

  /**
   * Changes a job that still waits for the same; another process may have been quicker. What is wrong with one holds up
   * no other.
   */
  async #change(seen: JobRow, work: (tx: Tx, job: JobRow) => Promise<boolean>): Promise<boolean> {
    try {
      return await this.#services.store.transaction(this.#workspace, async (tx) => {
        const job = await tx.get(jobs, { id: seen.id });
        return job?.state === 'waiting' && job.fence === seen.fence ? work(tx, job) : false;
      });
    } catch (err) {
      if (err instanceof Refusal && err.code === 'unavailable') throw err;
      this.#services.log.error({ err, job: seen.ref }, 'a job that waits could not go on');
      return false;
    }
  }
}

const isForEvent = (row: JobRow): row is Waiting => row.waitFor?.kind === 'event';

/** Without what only the chain needs. */
const envelope = ({ at, details, ...entry }: Entry) =>
  published({ ...entry, at: at.toISOString(), details: details ?? {}, version: 1, workspace: '' });

/** Those of the jobs that wait. */
const find = (tx: ReadTx, where: Where<typeof jobs>): Promise<JobRow[]> =>
  tx.find(jobs, { where: { ...where, state: 'waiting' }, orderBy: [{ column: 'id' }], limit: PAGE });

async function findAll(
  tx: ReadTx,
  waitUntil: { readonly above: Date; readonly atMost?: Date },
): Promise<JobRow[]> {
  const all: JobRow[] = [];
  for (let more = true; more; ) {
    const rows = await find(tx, { waitUntil, id: { above: all.at(-1)?.id ?? '' } });
    all.push(...rows);
    more = rows.length === PAGE;
  }
  return all;
}

/** What the steps returned so far of the jobs whose condition asks for that, by `jobs.ref`. */
async function outputsFor(tx: ReadTx, found: readonly Found[]): Promise<Map<string, JsonObject>> {
  const outputs = new Map<string, JsonObject>();
  const asking = found.filter(({ job }) => /\bsteps\b/.test(job.waitFor.when ?? ''));
  for (let n = 0; n < asking.length; n += PAGE) {
    const refs = asking.slice(n, n + PAGE).map(({ job }) => job.ref);
    const rows = await tx.find(jobSteps, { where: { job: { in: refs } }, limit: 100_000 });
    for (const ref of refs) outputs.set(ref, outputsOf(rows.filter(({ job }) => job === ref)));
  }
  return outputs;
}

async function moveOn(tx: Tx, job: JobRow, after: number): Promise<boolean> {
  if (job.waitFor?.kind !== 'event' || job.waitFor.after >= after) return false;
  await tx.update(jobs, job, { waitFor: { ...job.waitFor, after } });
  return true;
}

async function overdue(tx: Tx, job: JobRow): Promise<boolean> {
  const { waitFor } = job;
  if (!waitFor || !job.waitUntil || job.waitUntil > tx.now) return false;
  if (waitFor.kind === 'time') return resume(tx, job, {});
  if (waitFor.kind === 'event') return giveUpWait(tx, job, `no ${waitFor.event} came in time`);
  // A request that runs out tells so itself; this is for one that is gone.
  const request = await tx.get(approvals, { ref: waitFor.approval });
  if (request?.state === 'pending') return false;
  return giveUpWait(tx, job, `${waitFor.approval} is ${request?.state ?? 'gone'}`);
}
