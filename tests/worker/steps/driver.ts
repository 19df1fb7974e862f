import { claim, LEASE } from '../../../src/core/jobs/claiming.ts';
import { finish } from '../../../src/core/jobs/finishing.ts';
import { recover } from '../../../src/core/jobs/recovering.ts';
import type { Ask } from '../../../src/core/jobs/waiting.ts';
import { createAsk } from '../../../src/core/jobs/asking.ts';
import type { Store } from '../../../src/core/store.ts';
import { MINUTE } from '../../../src/domain/clock.ts';
import { isOver, jobs, type JobRow } from '../../../src/domain/job.ts';
import { runSteps } from '../../../src/worker/steps.ts';
import { Waits } from '../../../src/worker/waits.ts';
import type { World } from './world.ts';

class Crash extends Error {}

/** Where a process dies: at the n-th transaction since the last one died, before the commit or right after it. */
export interface CrashAt {
  readonly transaction: number;
  readonly when: 'before' | 'after';
}

/** What is still to go wrong. */
interface Fate {
  readonly crashes: CrashAt[];
  count: number;
}

/** The store of a process that may die. */
function mortal(store: Store, fate: Fate, die: () => void): Store {
  const transaction: Store['transaction'] = async (workspace, work) => {
    const [next] = fate.crashes;
    fate.count += 1;
    if (next === undefined || fate.count < next.transaction) return store.transaction(workspace, work);
    if (next.when === 'after') await store.transaction(workspace, work);
    fate.crashes.shift();
    fate.count = 0;
    die();
    throw new Crash();
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'transaction') return transaction;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** One process: takes the job if it is due, and runs it to the end of the turn. */
async function turn(w: World, fate: Fate): Promise<void> {
  const stop = new AbortController();
  const store = mortal(w.h.store, fate, () => stop.abort('lost'));
  const wanted = { capabilities: ['default'], limit: 1, room: new Map<string, number>() };
  const [job] = await store.transaction('main', (tx) => claim(tx, { owner: 'w', begin: true }, wanted));
  const runbook = job?.plan ?? w.h.catalog.runbooks.get('release');
  if (!job || !runbook) return;
  const ask: Ask = createAsk(w.services);
  const outcome = await runSteps({
    store,
    job,
    runbook,
    ask,
    workspace: 'main',
    cause: job.ref,
    signal: stop.signal,
    giveUp: stop.signal,
    bound: new AbortController().signal,
    receipts: [],
    random: () => 0,
    log: () => undefined,
    progress: () => undefined,
    execute: w.execute,
  });
  if (outcome.kind === 'wait') return;
  await store.transaction('main', (tx) =>
    finish(tx, job, { outcome, runbook, receipts: [], random: () => 0 }),
  );
}

/**
 * Runs the job to its end through crashes, one process after another; `between` is called after each. Returns how it
 * ended, and how many of the crashes did not come to pass.
 */
export async function live(
  w: World,
  ref: string,
  crashes: readonly CrashAt[],
  between?: (turns: number) => Promise<unknown>,
): Promise<{ job: JobRow; left: number }> {
  const fate: Fate = { crashes: [...crashes], count: 0 };
  const waits = new Waits(w.services, 'main');
  for (let turns = 1; turns < 200; turns += 1) {
    try {
      await turn(w, fate);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      w.h.clock.pass(LEASE + 1);
    }
    await between?.(turns);
    w.h.clock.pass(MINUTE);
    await w.h.store.transaction('main', (tx) =>
      recover(tx, { runbookOf: (name) => w.h.catalog.runbooks.get(name), random: () => 0 }),
    );
    await waits.look();
    const job = await w.h.store.read('main', (tx) => tx.get(jobs, { ref }));
    if (job && isOver(job.state)) return { job, left: fate.crashes.length };
  }
  throw new Error('it does not come to an end');
}
