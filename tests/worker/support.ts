import pino from 'pino';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import type { Services } from '../../src/core/services.ts';
import type { Store } from '../../src/core/store.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JobRow, Outcome } from '../../src/domain/job.ts';
import type { Execution } from '../../src/worker/executors/execution.ts';
import { JobWorker, type JobWorkerOptions } from '../../src/worker/jobs.ts';
import { job } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';

export const silent = pino({ level: 'silent' });

/** What the pipeline of a harness works with, for what runs by itself beside it. */
export const servicesOf = (h: Harness, over: Partial<Services> = {}): Services => ({
  store: h.store,
  catalog: h.catalog,
  commands: h.commands,
  language: h.language,
  directory: h.directory,
  admission: { admit: async () => undefined, hold: () => () => undefined },
  clock: h.clock,
  newId: () => 'id',
  log: silent,
  health: () => ({}),
  ...over,
});

export const soon = <T>(check: () => T | Promise<T>, timeout = 5_000): Promise<T> =>
  vi.waitFor(check, { interval: 2, timeout });

/** A try under way, ended by the test. */
export interface Try extends Execution {
  end(outcome: Outcome | Error): void;
}

/** An executor whose tries the test ends; by itself it ends only when it is told to stop. */
export function controlled(obedient = true) {
  const tries: Try[] = [];
  const execute = (execution: Execution): Promise<Outcome> => {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const end = (outcome: Outcome | Error) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
    if (obedient) execution.signal.addEventListener('abort', () => end({ kind: 'cancelled' }));
    tries.push({ ...execution, end });
    return promise;
  };
  const nth = (n: number): Promise<Try> =>
    soon(() => {
      const found = tries[n - 1];
      if (!found) throw new Error(`try ${n} has not started`);
      return found;
    });
  return { tries, execute, nth };
}

export function jobWorker(
  h: Harness,
  execute: JobWorkerOptions['execute'],
  over: Partial<JobWorkerOptions> = {},
): JobWorker & { readonly ended: [JobRow, Outcome][] } {
  const ended: [JobRow, Outcome][] = [];
  const worker = new JobWorker({
    store: h.store,
    catalog: h.catalog,
    clock: h.clock,
    log: silent,
    owner: 'w1',
    random: () => 1,
    // The clock of a test stands still while nobody moves it.
    grace: 0,
    execute,
    ended: (row, outcome) => ended.push([row, outcome]),
    ...over,
  });
  return Object.assign(worker, { ended });
}

/** A harness and its workers, made anew for each test and stopped after it. */
export function workerBench() {
  const workers: JobWorker[] = [];
  const bench = {
    h: undefined as unknown as Harness,
    start(execute: JobWorkerOptions['execute'], over?: Partial<JobWorkerOptions>) {
      const worker = jobWorker(bench.h, execute, over);
      workers.push(worker);
      worker.start();
      return worker;
    },
    async ask(runbook = 'restart'): Promise<void> {
      const answer = await bench.h.run('ben', `job run ${runbook}`);
      expect(answer.status).toBe('ok');
    },
    state: async (ref?: string) => (await job(bench.h, ref)).state,
    expectState: (wanted: string, ref?: string) =>
      soon(async () => expect(await bench.state(ref)).toBe(wanted)),
  };
  beforeEach(async () => {
    bench.h = await createHarness();
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop(now())));
    await bench.h.close();
  });
  return bench;
}

/** The store, out of reach while `away` is set; while `deaf` is, it does what it is told, and its answers are lost. */
export function flaky(store: Store): {
  readonly store: Store;
  away: boolean;
  deaf: boolean;
  refused: number;
} {
  const refuse = () => {
    state.refused += 1;
    return Promise.reject(new Refusal('unavailable', 'the database is away'));
  };
  const state = {
    away: false,
    deaf: false,
    refused: 0,
    store: new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name !== 'transaction' && name !== 'read')
          return typeof value === 'function' ? value.bind(target) : value;
        return async (...args: Parameters<Store['transaction']>) => {
          if (state.away) return refuse();
          const { deaf } = state;
          const answer = await (value as Store['transaction']).apply(target, args);
          return deaf ? refuse() : answer;
        };
      },
    }),
  };
  return state;
}

/** Stops at once, whatever runs. */
export const now = (): AbortSignal => AbortSignal.abort();
