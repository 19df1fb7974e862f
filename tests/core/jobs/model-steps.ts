import type fc from 'fast-check';
import { expect } from 'vitest';
import { begin, claim, LEASE, renew } from '../../../src/core/jobs/claiming.ts';
import { finish, giveBack, release } from '../../../src/core/jobs/finishing.ts';
import { recover } from '../../../src/core/jobs/recovering.ts';
import { within } from '../../../src/core/jobs/room.ts';
import { HOUR, SECOND } from '../../../src/domain/clock.ts';
import type { JobRow } from '../../../src/domain/job.ts';
import { job } from '../support.ts';
import {
  back,
  backoff,
  failed,
  GRACE,
  holds,
  inStore,
  invariants,
  isBusy,
  known,
  nth,
  over,
  random,
  type Model,
  type ModelJob,
  type Real,
} from './model.ts';

type Command = fc.AsyncCommand<Model, Real>;

/** A step of the model and of the real thing, after which everything has to hold. */
abstract class Step implements Command {
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    await this.act(model, real);
    await invariants(model, real);
  }
  abstract act(model: Model, real: Real): Promise<void>;
  toString(): string {
    return `${this.constructor.name} ${JSON.stringify(this)}`;
  }
}

export class Ask extends Step {
  readonly runbook: string;
  constructor(runbook: 'restart' | 'backup' | 'deploy') {
    super();
    this.runbook = runbook;
  }
  async act(model: Model, real: Real) {
    const flags = this.runbook === 'deploy' ? ' --env staging' : '';
    await real.h.run('ana', `job run ${this.runbook}${flags}`);
    const state = this.runbook === 'deploy' ? 'waiting' : 'queued';
    const fresh = {
      state,
      attempt: 0,
      max: 2,
      fence: 0,
      runAt: model.now,
      leaseUntil: 0,
      graceUntil: -1,
      cancelRequested: false,
      asked: model.now,
    };
    model.jobs.set(`JOB-${model.jobs.size + 1}`, fresh as ModelJob);
  }
}

abstract class OnJob extends Step {
  readonly n: number;
  constructor(n: number) {
    super();
    this.n = n;
  }
  async act(model: Model, real: Real) {
    const ref = nth([...model.jobs.keys()], this.n);
    if (ref !== undefined) await this.on(known(model, ref), real, ref, model);
  }
  abstract on(one: ModelJob, real: Real, ref: string, model: Model): Promise<void>;
}

export class Approve extends OnJob {
  async on(one: ModelJob, { h }: Real, ref: string, model: Model) {
    const row = await job(h, ref);
    if (row.approval === null) return;
    for (const who of ['ben', 'cho']) await h.run(who, `approve ${row.approval}`);
    if (one.state === 'waiting' && model.now < one.asked + HOUR) back(one, Math.max(model.now, one.runAt));
  }
}

export class Cancel extends OnJob {
  async on(one: ModelJob, { h }: Real, ref: string) {
    await h.run('ana', `job cancel ${ref}`);
    if (isBusy(one)) one.cancelRequested = true;
    else if (one.state === 'queued' || one.state === 'waiting') over(one, 'cancelled');
  }
}

export class Again extends OnJob {
  readonly words: string;
  constructor(n: number, words: 'job retry' | 'job dead redrive') {
    super(n);
    this.words = words;
  }
  async on(one: ModelJob, { h }: Real, ref: string, model: Model) {
    const { status } = await h.run('ana', `${this.words} ${ref}`);
    const row = await job(h, ref);
    const from = this.words === 'job retry' ? ['failed', 'cancelled'] : ['failed'];
    const allowed = from.includes(one.state) && row.runbook !== 'deploy';
    expect(status).toBe(allowed ? 'ok' : 'error');
    if (allowed) Object.assign(back(one, model.now), { max: one.attempt + 2, cancelRequested: false });
  }
}

abstract class ByWorker extends Step {
  readonly worker: string;
  readonly n: number;
  constructor(worker: string, n: number) {
    super();
    this.worker = worker;
    this.n = n;
  }
  async act(model: Model, real: Real) {
    const row = nth(real.held.get(this.worker) ?? [], this.n);
    if (row) await this.on(row, known(model, row.ref), real, model);
  }
  abstract on(row: JobRow, one: ModelJob, real: Real, model: Model): Promise<void>;
}

export class Claim extends Step {
  readonly worker: string;
  readonly limit: number;
  readonly begins: boolean;
  constructor(worker: string, limit: number, begins: boolean) {
    super();
    this.worker = worker;
    this.limit = limit;
    this.begins = begins;
  }
  async act(model: Model, real: Real) {
    const claimed = await inStore(real, async (tx) => {
      const asked = { capabilities: ['default'], limit: this.limit };
      return claim(tx, { owner: this.worker, begin: this.begins }, await within(tx, real.h.catalog, asked));
    });
    const busy = [...model.jobs.values()].filter(isBusy).length;
    expect(claimed.length).toBeLessThanOrEqual(Math.min(this.limit, Math.max(0, 3 - busy)));
    for (const { ref } of claimed) {
      const one = known(model, ref);
      expect([one.state, one.runAt <= model.now]).toEqual(['queued', true]);
      one.state = this.begins ? 'running' : 'assigned';
      one.attempt += 1;
      one.fence += 1;
      one.leaseUntil = model.now + LEASE;
    }
    real.held.set(this.worker, [...(real.held.get(this.worker) ?? []), ...claimed]);
  }
}

export class Begin extends ByWorker {
  async on(row: JobRow, one: ModelJob, real: Real, model: Model) {
    if (row.state === 'running') return;
    const wasRunning = one.state === 'running';
    const begun = inStore(real, (tx) => begin(tx, row));
    if (holds(one, row) && wasRunning && !one.cancelRequested)
      return expect(begun).rejects.toThrow('cannot become');
    const ours = holds(one, row) && !one.cancelRequested;
    expect((await begun) !== undefined).toBe(ours);
    if (ours) Object.assign(one, { state: 'running', leaseUntil: model.now + LEASE });
    else if (holds(one, row)) over(one, 'cancelled');
  }
}

export class Renew extends ByWorker {
  async on(row: JobRow, one: ModelJob, real: Real, model: Model) {
    const { lost, cancelled } = await inStore(real, (tx) => renew(tx, [row]));
    expect(lost).toEqual(holds(one, row) ? [] : [row]);
    expect(cancelled).toEqual(holds(one, row) && one.cancelRequested ? [row] : []);
    const left = one.leaseUntil - model.now;
    if (holds(one, row) && (left < LEASE / 2 || left > LEASE)) one.leaseUntil = model.now + LEASE;
  }
}

export const OUTCOMES = {
  done: { kind: 'done', result: { ok: true } },
  network: { kind: 'retry', failure: 'network', reason: 'no answer' },
  limited: { kind: 'retry', failure: 'rate_limited', reason: 'slow down', after: 5 * SECOND },
  refused: { kind: 'fail', failure: 'refused', reason: 'no' },
  cancelled: { kind: 'cancelled' },
} as const;

export class Finish extends ByWorker {
  readonly outcome: keyof typeof OUTCOMES;
  constructor(worker: string, n: number, outcome: keyof typeof OUTCOMES) {
    super(worker, n);
    this.outcome = outcome;
  }
  async on(row: JobRow, one: ModelJob, real: Real, model: Model) {
    const outcome = OUTCOMES[this.outcome];
    const runbook = real.h.catalog.runbooks.get(row.runbook);
    const done = inStore(real, (tx) => finish(tx, row, { outcome, runbook, receipts: [], random }));
    // What has not begun cannot have succeeded.
    if (this.outcome === 'done' && holds(one, row) && one.state === 'assigned')
      return expect(done).rejects.toThrow('cannot become succeeded');
    expect(await done).toBe(holds(one, row));
    if (!holds(one, row)) return;
    if (this.outcome === 'done') over(one, 'succeeded');
    else if (this.outcome === 'cancelled') over(one, 'cancelled');
    else if (this.outcome === 'refused') over(one, one.cancelRequested ? 'cancelled' : 'failed');
    else failed(one, model.now, Math.max(this.outcome === 'limited' ? 5 * SECOND : 0, backoff(one.attempt)));
  }
}

export class GiveBack extends ByWorker {
  async on(row: JobRow, one: ModelJob, real: Real, model: Model) {
    const runbook = real.h.catalog.runbooks.get(row.runbook);
    const kept = await inStore(real, (tx) => giveBack(tx, row, { runbook, receipts: [], random }));
    expect(kept).toBe(holds(one, row));
    if (kept) failed(one, model.now, 0);
  }
}

export class Release extends ByWorker {
  async on(row: JobRow, one: ModelJob, real: Real, model: Model) {
    if (one.state === 'running') return;
    const kept = await inStore(real, (tx) => release(tx, row));
    expect(kept).toBe(holds(one, row));
    if (!kept) return;
    if (one.cancelRequested) over(one, 'cancelled');
    else Object.assign(back(one, model.now), { attempt: one.attempt - 1 });
  }
}

export class Recover extends Step {
  async act(model: Model, real: Real) {
    const runbookOf = (name: string) => real.h.catalog.runbooks.get(name);
    await inStore(real, (tx) => recover(tx, { runbookOf, random }));
    for (const one of model.jobs.values()) {
      if (!isBusy(one)) continue;
      // 10
      if (one.leaseUntil < model.now) {
        if (one.graceUntil === one.leaseUntil) failed(one, model.now, 0);
        else one.leaseUntil = one.graceUntil = model.now + GRACE;
      } else one.leaseUntil = Math.min(one.leaseUntil, model.now + LEASE);
    }
  }
}

export class Pass extends Step {
  readonly time: number;
  constructor(time: number) {
    super();
    this.time = time;
  }
  async act(model: Model, { h }: Real) {
    h.clock.pass(this.time);
    model.now = h.clock.now().getTime();
  }
}
