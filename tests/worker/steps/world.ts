import { createAsk } from '../../../src/core/jobs/asking.ts';
import { stepsOf } from '../../../src/core/jobs/step-rows.ts';
import type { Services } from '../../../src/core/services.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import { isOver, type JobRow, type Outcome } from '../../../src/domain/job.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { Runbook, Step, StepCall } from '../../../src/domain/runbook.ts';
import type { JobStepRow } from '../../../src/domain/step.ts';
import type { Execution } from '../../../src/worker/executors/execution.ts';
import type { JobWorker, JobWorkerOptions } from '../../../src/worker/jobs.ts';
import { Sweeper } from '../../../src/worker/sweep.ts';
import { Waits } from '../../../src/worker/waits.ts';
import { job } from '../../core/support.ts';
import { createHarness, type Harness } from '../../support/harness.ts';
import { bounds, testRunbook, tries } from '../../support/runbook.ts';
import { jobWorker, now, silent, soon } from '../support.ts';

/** A runbook that takes any arguments. */
export const inner = (name: string, over: Partial<Runbook> = {}): Runbook =>
  testRunbook({ name, args: { type: 'object' }, tries: tries({ max: 2, backoff: SECOND }), ...over });

export const calls = (name: string, args: JsonObject = {}, over: Partial<Runbook> = {}): StepCall => ({
  runbook: inner(name, over),
  args,
});

/** A step that calls a runbook of its own name, undone by `un` and that name. */
export const step = (name: string, args: JsonObject = {}, over: Partial<Runbook> = {}): Step => ({
  name,
  ...calls(name, args, over),
  compensate: calls(`un${name}`, {}, over),
});

export const release = (steps: readonly Step[], over: Partial<Runbook> = {}): Runbook =>
  testRunbook({
    name: 'release',
    args: { type: 'object', properties: { service: { type: 'string' } }, additionalProperties: false },
    risk: 'destructive',
    bounds: bounds(),
    executor: { kind: 'steps', steps },
    ...over,
  });

/** What a runbook was run with. */
export type Call = Pick<Execution, 'args' | 'attempt' | 'idempotencyKey'> & { readonly runbook: string };
type Answer = Outcome | Error | ((execution: Execution) => Outcome | Promise<Outcome>);

export const done = (result: JsonObject = {}): Outcome => ({ kind: 'done', result });
export const busy: Outcome = { kind: 'retry', failure: 'server', reason: 'busy' };
export const broken: Outcome = { kind: 'fail', failure: 'refused', reason: 'broken' };

/** A workspace with one runbook of steps, whose outside world answers as the test says. */
export interface World {
  readonly h: Harness;
  readonly services: Services;
  readonly calls: readonly Call[];
  /** Forgets what ran, and the answers that are left. */
  forget(): void;
  /** In order, and what each of them was undone by. */
  readonly ran: () => string[];
  readonly execute: (execution: Execution) => Promise<Outcome>;
  /** What the runbook of this name answers next; without, it is done. */
  answer(runbook: string, ...answers: readonly Answer[]): void;
  worker(over?: Partial<JobWorkerOptions>): JobWorker;
  waits(): Waits;
  sweeper(): Sweeper;
  rows(ref?: string): Promise<JobStepRow[]>;
  /** The job once it is in this state. */
  state(state: JobRow['state'], ref?: string): Promise<JobRow>;
  /** The job once it is over; where it has another try, time goes on to that at once. */
  ended(worker: Pick<JobWorker, 'wake'>, ref?: string): Promise<JobRow>;
  close(): Promise<void>;
}

export async function world(runbook: Runbook, open: typeof createHarness = createHarness): Promise<World> {
  const h = await open({ runbooks: new Map([[runbook.name, runbook]]) });
  const { store, catalog, commands, language, directory, clock } = h;
  const made: Call[] = [];
  const answers = new Map<string, Answer[]>();
  const stops: (() => Promise<unknown>)[] = [];
  const admission = { admit: async () => undefined, hold: () => () => undefined };
  const services: Services = {
    store,
    catalog,
    commands,
    language,
    directory,
    clock,
    admission,
    newId: () => 'id',
    log: silent,
    health: () => ({}),
  };
  const execute = async (execution: Execution): Promise<Outcome> => {
    const {
      args,
      attempt,
      idempotencyKey,
      runbook: { name },
    } = execution;
    made.push({ runbook: name, args, attempt, idempotencyKey });
    const answer = answers.get(name)?.shift() ?? done();
    if (answer instanceof Error) throw answer;
    execution.effect({
      kind: 'http',
      target: name,
      outcome: '200',
      result: {},
      startedAt: clock.now(),
      endedAt: clock.now(),
    });
    return typeof answer === 'function' ? answer(execution) : answer;
  };
  return {
    h,
    services,
    calls: made,
    forget() {
      made.length = 0;
      answers.clear();
    },
    execute,
    ran: () => made.map((call) => call.runbook),
    answer: (name, ...more) => void answers.set(name, [...(answers.get(name) ?? []), ...more]),
    worker(over = {}) {
      const worker = jobWorker(h, execute, { ask: createAsk(services), ...over });
      worker.start();
      stops.push(() => worker.stop(now()));
      return worker;
    },
    waits() {
      const waits = new Waits(services, 'main');
      waits.start();
      stops.push(() => waits.stop());
      return waits;
    },
    sweeper: () => new Sweeper(services, 'main'),
    rows: (ref = 'JOB-1') => store.read('main', (tx) => stepsOf(tx, { ref })),
    state: (state, ref = 'JOB-1') =>
      soon(async () => {
        const row = await job(h, ref);
        if (row.state !== state) throw new Error(`${ref} is ${row.state} (${row.error ?? ''}), not ${state}`);
        return row;
      }),
    ended: (worker, ref = 'JOB-1') =>
      soon(async () => {
        const row = await job(h, ref);
        if (isOver(row.state)) return row;
        const early = row.state === 'queued' ? row.runAt.getTime() - clock.now().getTime() : 0;
        if (early > 0) h.clock.pass(early);
        if (early > 0) worker.wake();
        throw new Error(`${ref} is ${row.state} (${row.error ?? ''})`);
      }),
    async close() {
      await Promise.all(stops.map((stop) => stop()));
      await h.close();
    },
  };
}

/** An answer that comes once the try is stopped. */
export const untilStopped = ({ signal }: Execution): Promise<Outcome> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve({ kind: 'cancelled' });
    signal.addEventListener('abort', () => resolve({ kind: 'cancelled' }));
  });
