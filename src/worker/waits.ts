import { compileCel, type CelProgram } from '../core/cel.ts';
import { mayRead, topicMatches } from '../core/feed.ts';
import { giveUpWait, resume } from '../core/jobs/waiting.ts';
import { stepsOf } from '../core/jobs/step-rows.ts';
import type { Services } from '../core/services.ts';
import type { ReadTx, Tx } from '../core/store.ts';
import { approvals } from '../domain/approval.ts';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { jobs, type JobRow, type Wait } from '../domain/job.ts';
import { journal, published } from '../domain/journal.ts';
import { outputsOf } from '../domain/step.ts';
import type { Row } from '../domain/table.ts';
import { Rounds } from './rounds.ts';

type Entry = Row<typeof journal>;
type EventWait = Extract<Wait, { kind: 'event' }>;

/** How often deadlines are looked at, and how long entries gather, in milliseconds. */
const LOOK_EVERY = SECOND;
const GATHER = 25;
/** Entries and jobs that are looked at in one go. */
const PAGE = 200;

/** What a look found for one job. */
interface Found {
  readonly job: JobRow;
  /** In order: any of them will do that whoever asked for the job may read. */
  readonly met: readonly Entry[];
  /** Up to here nothing else was of interest. */
  readonly seen: number;
}

/**
 * Wakes jobs that wait: for an event, when one is written; for a time, when it has come; and gives up on those whose
 * deadline is over. Each process that runs it looks for itself, and the transaction that wakes a job sees to it that
 * one does. What was written while nobody looked is caught up with: each wait knows the sequence that it began at.
 */
export class Waits {
  readonly #services: Services;
  readonly #workspace: string;
  /** How far the journal was read for each wait; a hint that a restart may lose. */
  readonly #seen = new Map<string, number>();
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
      if (workspace === this.#workspace && entries.length > 0)
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

  async #look(): Promise<void> {
    try {
      await this.#wakeAll();
    } catch (err) {
      this.#services.log.error({ err }, 'jobs that wait could not be looked at; it is tried again shortly');
    }
  }

  async #wakeAll(): Promise<void> {
    const { store } = this.#services;
    const waiting = await store.read(this.#workspace, (tx) => allWaiting(tx));
    const still = new Set(waiting.map(nameOf));
    for (const name of this.#seen.keys()) if (!still.has(name)) this.#seen.delete(name);
    // An event that came in time counts, however late it is looked at.
    while (await this.#events(waiting)) continue;
    const now = this.#services.clock.now();
    for (const job of waiting)
      if (job.waitUntil && job.waitUntil <= now) await this.#change(job, (tx, row) => overdue(tx, row));
  }

  /** Looks through one page of the journal. Returns whether there may be more. */
  async #events(waiting: readonly JobRow[]): Promise<boolean> {
    const { store } = this.#services;
    const waits = waiting.flatMap((job) =>
      job.waitFor?.kind === 'event' ? [{ job, wait: job.waitFor }] : [],
    );
    if (waits.length === 0) return false;
    const from = Math.min(...waits.map(({ job, wait }) => this.#seenBy(job, wait)));
    const { found, last, full } = await store.read(this.#workspace, async (tx) => {
      const entries = await tx.find(journal, {
        where: { seq: { above: from } },
        orderBy: [{ column: 'seq' }],
        limit: PAGE,
      });
      const matches: Found[] = [];
      for (const { job, wait } of waits) matches.push(await this.#match(tx, job, wait, entries));
      return { found: matches, last: entries.at(-1)?.seq ?? from, full: entries.length === PAGE };
    });
    for (const { job, met, seen } of found) {
      const woken = met.length > 0 && (await this.#change(job, (tx, row) => this.#wake(tx, row, met)));
      // A whole page without what it waits for is not read again after a restart.
      if (!woken && full) await this.#change(job, (tx, row) => moveOn(tx, row, Math.max(seen, last)));
      this.#seen.set(nameOf(job), woken ? Number.MAX_SAFE_INTEGER : Math.max(seen, last));
    }
    return full;
  }

  #seenBy(job: JobRow, wait: EventWait): number {
    return Math.max(wait.after, this.#seen.get(nameOf(job)) ?? 0);
  }

  async #match(tx: ReadTx, job: JobRow, wait: EventWait, entries: readonly Entry[]): Promise<Found> {
    const seen = this.#seenBy(job, wait);
    const named = entries.filter(
      ({ seq, at, event }) => seq > seen && at <= (job.waitUntil ?? at) && topicMatches(wait.event, event),
    );
    if (named.length === 0 || wait.when === undefined) return { job, met: named, seen };
    const steps = outputsOf(await stepsOf(tx, job));
    const { when } = wait;
    const met = named.filter((entry) => this.#holds(when, { event: envelope(entry), args: job.args, steps }));
    return { job, met, seen };
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

  /** Changes a job that still waits for the same; another process may have been quicker. */
  #change(seen: JobRow, work: (tx: Tx, job: JobRow) => Promise<boolean>): Promise<boolean> {
    return this.#services.store.transaction(this.#workspace, async (tx) => {
      const job = await tx.get(jobs, { id: seen.id });
      return job?.state === 'waiting' && job.fence === seen.fence ? work(tx, job) : false;
    });
  }
}

/** A job that waits again has been claimed in between. */
const nameOf = ({ id, fence }: JobRow): string => `${id}:${fence}`;

/** Without what only the chain needs. */
const envelope = ({ at, details, ...entry }: Entry) =>
  published({ ...entry, at: at.toISOString(), details: details ?? {}, version: 1, workspace: '' });

/** Those whose steps wait; what waits for the approval of its run has no time set. */
async function allWaiting(tx: ReadTx): Promise<JobRow[]> {
  const all: JobRow[] = [];
  for (let after = ''; ; ) {
    const page = await tx.find(jobs, {
      where: { state: 'waiting', waitUntil: { above: new Date(0) }, id: { above: after } },
      orderBy: [{ column: 'id' }],
      limit: PAGE,
    });
    all.push(...page);
    const last = page.at(-1);
    if (!last || page.length < PAGE) return all;
    after = last.id;
  }
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
