import type { Logger } from 'pino';
import { LEASE, type Claims } from '../core/jobs/claiming.ts';
import { release } from '../core/jobs/finishing.ts';
import type { Commit } from '../core/store.ts';
import type { JobRow, Outcome } from '../domain/job.ts';
import { DEFAULT_CAPABILITY } from '../domain/runbook.ts';
import { Attempt, type AttemptParts } from './attempt.ts';
import { Endings } from './endings.ts';
import { both, lookAfter, NOTHING, peek, type Look } from './look.ts';
import { localRunbooks, type Room, type Taker } from './taking.ts';

export interface JobWorkerOptions extends Omit<AttemptParts, 'giveUp'> {
  readonly log: Logger;
  /** Unique among workers. */
  readonly owner: string;
  /** What it offers; the default capability unless told. */
  readonly capabilities?: readonly string[];
  /** Jobs that run at the same time; 8 unless told. */
  readonly concurrency?: number;
  /** Jobs that are claimed ahead, for when one of those has ended; 0 unless told. */
  readonly prefetch?: number;
  /** Milliseconds that a claim holds unless it is renewed. */
  readonly lease?: number;
  readonly random?: () => number;
  /** Milliseconds that others have to come back for claims that are over. */
  readonly grace?: number;
  /** Told how each try ended. */
  readonly ended?: (job: JobRow, outcome: Outcome) => void;
  /** Told of claims that somebody else was quicker for, and of renewals. */
  readonly counted?: (what: 'conflict' | 'renewal', count: number) => void;
}

/** How often to look for jobs whose time has come and for claims of lost workers, in milliseconds. */
const LOOK_EVERY = 1_000;
/** A worker counts a claim as lost so big a part of its time before others may. */
const MARGIN = 8;

/** What a commit of anybody's has to say to a worker: there is more to do, or there is room for more. */
const DUE = new Set(['job.queued', 'job.retrying']);
const OVER = new Set(['job.succeeded', 'job.failed', 'job.cancelled', 'job.waiting', 'job.retrying']);

/** A try under way, or whose end is not written yet. */
interface Running {
  readonly attempt: Attempt;
  readonly done: Promise<void>;
  /** Until when its claim is known to hold, by the process's own steady clock. */
  until: number;
}

/** Runs jobs: woken by commits that queue or cancel some, claims, executes, writes how they ended. */
export class JobWorker {
  readonly #options: JobWorkerOptions;
  readonly #workspace: string;
  readonly #taker: Taker;
  readonly #endings: Endings;
  readonly #parts: AttemptParts;
  /** From then on what could not be written down is left to others. */
  readonly #over = new AbortController();
  /** By claim: a job that it lost, or that is to go on at once, it may have claimed again meanwhile. */
  readonly #running = new Map<JobRow, Running>();
  /** Those whose executor has not come to an end yet. */
  readonly #atWork = new Set<JobRow>();
  /** Claimed and not begun, the first to begin first. */
  #ahead: JobRow[] = [];
  #unlisten: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | undefined;
  #again = false;
  /** What the next look is for without asking first. */
  #sure: Look = NOTHING;
  #more = false;
  #stopped = false;
  #lookedAt = performance.now();
  /** It is time to look after claims, however busy it is otherwise. */
  #isTime = false;
  /** The last look failed, and may have claimed something all the same. */
  #doubtful = false;
  /** By the database's clock, when it last looked after claims. */
  #clockAt = Number.POSITIVE_INFINITY;

  constructor(options: JobWorkerOptions) {
    this.#options = options;
    this.#workspace = options.catalog.workspace;
    const { lease = LEASE, grace, capabilities = [DEFAULT_CAPABILITY], random = Math.random } = options;
    const { catalog, owner } = options;
    const runbooks = localRunbooks(catalog);
    this.#taker = {
      catalog,
      owner,
      runbooks,
      lease,
      capabilities,
      random,
      ...(grace !== undefined && { grace }),
    };
    this.#parts = { ...options, giveUp: this.#over.signal };
    this.#endings = new Endings(this.#parts, random);
  }

  start(): void {
    this.#unlisten = this.#options.store.onCommit((commit) => this.#heard(commit));
    const look = () => {
      this.#isTime = true;
      this.#stopLate();
      this.#pump();
    };
    this.#timer = setInterval(look, Math.min(LOOK_EVERY, this.#taker.lease / MARGIN));
    this.wake();
  }

  /** Milliseconds since it last reached the queue. */
  get sinceLook(): number {
    return performance.now() - this.#lookedAt;
  }

  /** Looks for work and after its claims now; calls during a look are folded into one more. */
  wake(): void {
    this.#pump({ due: true, claims: true });
  }

  /** Claims nothing more; lets what runs end until the deadline, then stops it and gives it back to the queue. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    const abort = () => {
      for (const { attempt } of this.#running.values()) attempt.stop('stopping');
      this.#over.abort();
    };
    if (deadline.aborted) abort();
    else deadline.addEventListener('abort', abort, { once: true });
    await this.#pumping;
    // What the last look claimed is stopped too.
    if (deadline.aborted) abort();
    await this.#releaseAhead();
    await Promise.all([...this.#running.values()].map((r) => r.done));
    clearInterval(this.#timer);
    await this.#pumping;
  }

  /** Without word of a renewal others may have it soon, and run it: it must not run in two places. */
  #stopLate(): void {
    const now = performance.now() + this.#taker.lease / MARGIN;
    for (const { attempt, until } of this.#running.values()) if (now > until) attempt.stop('lost');
  }

  #heard({ workspace, entries }: Commit): void {
    if (workspace !== this.#workspace) return;
    const told = entries.flatMap(({ event, target }) => (DUE.has(event) ? [target] : []));
    const due = told.length > 0 || (this.#more && entries.some((entry) => OVER.has(entry.event)));
    // A job at work that went on without us was lost.
    const isAtWork = (target: string) => [...this.#atWork].some(({ ref }) => ref === target);
    const claims = entries.some(
      ({ event, target }) => event === 'job.cancelling' || (OVER.has(event) && isAtWork(target)),
    );
    if (due || claims) this.#pump({ due, claims, told });
  }

  #pump(sure: Partial<Look> = {}): void {
    this.#sure = both(this.#sure, sure);
    this.#again = true;
    this.#pumping ??= this.#drain();
  }

  async #drain(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        const sure = this.#sure;
        this.#sure = NOTHING;
        const peeked = this.#isTime || (!sure.due && !sure.claims) ? await this.#peek() : NOTHING;
        this.#isTime = false;
        const look = both(both(sure, peeked), { claims: this.#doubtful });
        if (look.due || look.claims) await this.#look(look);
        this.#lookedAt = performance.now();
      }
    } catch (err) {
      this.#options.log.error({ err }, 'the job worker could not reach the database; it looks again shortly');
    } finally {
      this.#pumping = undefined;
    }
  }

  /** How many more may run, and how many may be claimed besides. */
  get #room(): Room {
    const { concurrency = 8, prefetch = 0 } = this.#options;
    if (this.#stopped) return { run: 0, ahead: 0 };
    return { run: concurrency - this.#atWork.size, ahead: prefetch - this.#ahead.length };
  }

  get #claims(): readonly JobRow[] {
    return [...this.#running.keys(), ...this.#ahead];
  }

  /** Whether there is anything to do. */
  async #peek(): Promise<Look> {
    const at = { room: this.#room, claims: this.#claims, clockAt: this.#clockAt };
    const { look, clockAt } = await this.#options.store.read(this.#workspace, (tx) =>
      peek(tx, this.#taker, at),
    );
    this.#clockAt = clockAt;
    return look;
  }

  async #look(look: Look): Promise<void> {
    const { run, ahead } = this.#room;
    // Without room there is nothing to claim; whoever ends makes some and looks again.
    if (look.due && run <= 0 && ahead <= 0) this.#more = true;
    if (!look.claims && run <= 0 && ahead <= 0) return;
    const next = look.due ? this.#ahead.slice(0, Math.max(0, run)) : [];
    const at = {
      look,
      next,
      room: { run, ahead: ahead + next.length },
      claims: this.#claims,
      ahead: this.#ahead,
      clockAt: this.#clockAt,
      doubtful: this.#doubtful,
    };
    this.#doubtful = true;
    const asked = performance.now();
    const { kept, taken, conflicts, recovered, clockAt } = await this.#options.store.transaction(
      this.#workspace,
      (tx) => lookAfter(tx, this.#taker, at),
    );
    this.#doubtful = false;
    this.#clockAt = clockAt;
    // Reckoned from before the question, so that it is over here before it is over in the database.
    const until = asked + this.#taker.lease;
    const gone = new Set([...next, ...(kept?.lost ?? []), ...(kept?.cancelled ?? [])]);
    this.#ahead = [...this.#ahead.filter((job) => !gone.has(job)), ...(taken?.ahead ?? [])];
    this.#more = taken?.more ?? this.#more;
    if (kept) this.#tell(kept, until);
    for (const job of taken?.started ?? []) this.#launch(job, until);
    // What ended during the look made room that it knew nothing of.
    if (this.#room.run > run - (taken?.started.length ?? 0)) this.#fill();
    if (conflicts > 0) this.#options.counted?.('conflict', conflicts);
    // However many jobs a lost worker had, they do not wait for one look after another.
    if (recovered > 0) this.#pump({ claims: true });
  }

  /** Takes what is known to wait for room. */
  #fill(): void {
    if (this.#more || this.#ahead.length > 0) this.#pump({ due: true });
  }

  #tell({ lost, cancelled, renewed }: Claims, until: number): void {
    for (const job of renewed) {
      const running = this.#running.get(job);
      if (running) running.until = until;
    }
    for (const job of lost) this.#running.get(job)?.attempt.stop('lost');
    for (const job of cancelled) this.#running.get(job)?.attempt.stop('cancelled');
    if (renewed.length > 0) this.#options.counted?.('renewal', renewed.length);
  }

  #launch(job: JobRow, until: number): void {
    const attempt = new Attempt(this.#parts, job);
    this.#atWork.add(job);
    const done = this.#run(attempt)
      .catch((err: unknown) =>
        this.#options.log.error({ err, job: job.ref }, 'a job could not be finished; its lease will run out'),
      )
      .finally(() => this.#running.delete(job));
    this.#running.set(job, { attempt, done, until });
  }

  async #run(attempt: Attempt): Promise<void> {
    const { job } = attempt;
    const outcome = await attempt.run();
    this.#atWork.delete(job);
    const written = this.#endings.finish(attempt, outcome);
    // Its end and the next beginning share one commit.
    this.#fill();
    if (await written) {
      if (outcome.kind !== 'wait' && attempt.stopped !== 'stopping') this.#options.ended?.(job, outcome);
    } else
      this.#options.log.warn(
        { job: job.ref, fence: job.fence },
        'a result came after its claim was lost; it was dropped',
      );
  }

  async #releaseAhead(): Promise<void> {
    const ahead = this.#ahead.splice(0);
    if (ahead.length === 0) return;
    const { store, log } = this.#options;
    await store
      .transaction(this.#workspace, async (tx) => {
        for (const job of ahead) await release(tx, job);
      })
      .catch((err: unknown) => log.warn({ err }, 'claims were not given back; they run out by themselves'));
  }
}
