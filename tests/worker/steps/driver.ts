import { createAsk } from '../../../src/core/jobs/asking.ts';
import { LEASE } from '../../../src/core/jobs/claiming.ts';
import { recover } from '../../../src/core/jobs/recovering.ts';
import type { Store } from '../../../src/core/store.ts';
import { MINUTE } from '../../../src/domain/clock.ts';
import { isOver, type JobRow } from '../../../src/domain/job.ts';
import type { Execution } from '../../../src/worker/executors/execution.ts';
import { Waits } from '../../../src/worker/waits.ts';
import { job } from '../../core/support.ts';
import { jobWorker, now } from '../support.ts';
import type { World } from './world.ts';

/** Where a process dies: at the n-th transaction since the last one died, before the commit or right after it. */
export interface CrashAt {
  readonly transaction: number;
  readonly when: 'before' | 'after';
}

/** When somebody cancels: as the n-th call runs, or the n-th time that no worker holds the job. */
export interface CancelAt {
  readonly at: 'call' | 'pause';
  readonly n: number;
}

/** What is still to go wrong. */
interface Fate {
  readonly crashes: CrashAt[];
  count: number;
}

/** The store of a process that may die; once it has, nothing of that process reaches the database. */
function mortal(store: Store, fate: Fate): { readonly store: Store; readonly dead: boolean } {
  const state = { store, dead: false };
  const crash = () => {
    state.dead = true;
    return Promise.reject(new Error('the process is dead'));
  };
  const transaction: Store['transaction'] = async (workspace, work) => {
    if (state.dead) return crash();
    const [next] = fate.crashes;
    fate.count += 1;
    if (next === undefined || fate.count < next.transaction) return store.transaction(workspace, work);
    fate.crashes.shift();
    fate.count = 0;
    if (next.when === 'after') await store.transaction(workspace, work);
    return crash();
  };
  const read: Store['read'] = (workspace, work) => (state.dead ? crash() : store.read(workspace, work));
  state.store = new Proxy(store, {
    get(target, name) {
      if (name === 'transaction') return transaction;
      if (name === 'read') return read;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return state;
}

/**
 * Runs the job to its end through crashes, one process with a worker after another. Returns how it ended, and how many of
 * the crashes did not come to pass.
 */
export async function live(
  w: World,
  ref: string,
  crashes: readonly CrashAt[],
  cancel: CancelAt | null,
): Promise<{ job: JobRow; left: number }> {
  const fate: Fate = { crashes: [...crashes], count: 0 };
  const waits = new Waits(w.services, 'main');
  const seen = { call: 0, pause: 0 };
  const happens = async (at: CancelAt['at']) => {
    seen[at] += 1;
    if (cancel?.at === at && cancel.n === seen[at]) await w.h.run('ben', `job cancel ${ref}`);
  };
  const execute = async (execution: Execution) => {
    await happens('call');
    return w.execute(execution);
  };
  for (let life = 1; life < 50; life += 1) {
    const process = mortal(w.h.store, fate);
    const over = { store: process.store, owner: `w${life}`, ask: createAsk(w.services), random: () => 0 };
    const worker = jobWorker(w.h, execute, over);
    worker.start();
    while (!process.dead) {
      const row = await job(w.h, ref);
      if (isOver(row.state)) {
        await worker.stop(now());
        return { job: row, left: fate.crashes.length };
      }
      if (row.leaseOwner === null) {
        await happens('pause');
        w.h.clock.pass(MINUTE);
        await waits.look();
        worker.wake();
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await worker.stop(now());
    w.h.clock.pass(LEASE + 1);
    await w.h.store.transaction('main', (tx) =>
      recover(tx, { runbookOf: (name) => w.h.catalog.runbooks.get(name), random: () => 0, grace: 0 }),
    );
  }
  throw new Error('it does not come to an end');
}
