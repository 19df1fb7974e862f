import fc from 'fast-check';
import { begin, claim, LEASE } from '../../../src/core/jobs/claiming.ts';
import { finish, giveBack, release } from '../../../src/core/jobs/finishing.ts';
import { recover } from '../../../src/core/jobs/recovering.ts';
import { within } from '../../../src/core/jobs/room.ts';
import { advance } from '../../../src/core/jobs/steps.ts';
import type { StepTry } from '../../../src/core/jobs/step-tries.ts';
import type { Tx } from '../../../src/core/store.ts';
import { HOUR, SECOND } from '../../../src/domain/clock.ts';
import { isOver, jobs, type JobRow, type Outcome } from '../../../src/domain/job.ts';
import type { Waits } from '../../../src/worker/waits.ts';
import { rows } from '../support.ts';
import type { World } from '../../worker/steps/world.ts';

/** A claim as its worker remembers it, however old that is, with the try that it makes. */
interface Claimed {
  row: JobRow;
  step: StepTry | undefined;
}

export interface Sagas {
  readonly w: World;
  readonly waits: Waits;
  readonly held: Claimed[];
}

const random = () => 0.5;
const OUTCOMES = {
  done: { kind: 'done', result: {} },
  busy: { kind: 'retry', failure: 'server', reason: 'busy' },
  broken: { kind: 'fail', failure: 'refused', reason: 'broken' },
  unreadable: { kind: 'fail', stage: 'report', reason: 'it cannot be read' },
  cancelled: { kind: 'cancelled' },
} as const satisfies Record<string, Outcome>;

export type Op =
  | { readonly do: 'ask' | 'event' | 'look' | 'recover' }
  | { readonly do: 'claim'; readonly limit: number; readonly begins: boolean }
  | { readonly do: 'cancel' | 'retry'; readonly n: number }
  | { readonly do: 'begin' | 'giveBack' | 'release'; readonly n: number }
  | { readonly do: 'work'; readonly n: number; readonly outcome: keyof typeof OUTCOMES }
  | { readonly do: 'pass'; readonly time: number };

const n = fc.nat(7);
const work = fc.record({
  do: fc.constant('work' as const),
  n,
  outcome: fc.constantFrom(
    ...(['done', 'done', 'done', ...Object.keys(OUTCOMES)] as (keyof typeof OUTCOMES)[]),
  ),
});
export const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 8, arbitrary: work },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      limit: fc.integer({ min: 1, max: 3 }),
      begins: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(...(['begin', 'begin', 'giveBack', 'release', 'cancel', 'retry'] as const)),
      n,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom(...(['ask', 'event', 'look', 'recover'] as const)) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      time: fc.constantFrom(SECOND, 6 * SECOND, LEASE + 1, HOUR),
    }),
  },
);

/** Does it; what there is nothing for is left. Returns the claim that it was done under. */
export async function act(sagas: Sagas, what: Op): Promise<Claimed | undefined> {
  const { w, waits, held } = sagas;
  const { h } = w;
  const inStore = <T>(run: (tx: Tx) => Promise<T>) => h.store.transaction('main', run);
  const parts = { runbook: h.catalog.runbooks.get('release'), receipts: [], random };
  if (what.do === 'ask') await h.run('ben', 'job run release');
  else if (what.do === 'event')
    await h.run('ana', { command: 'event.add', args: { event: 'go', target: 'api' } });
  else if (what.do === 'look') await waits.look();
  else if (what.do === 'pass') h.clock.pass(what.time);
  else if (what.do === 'recover')
    await inStore((tx) =>
      recover(tx, { runbookOf: (name) => h.catalog.runbooks.get(name), random, grace: 0 }),
    );
  else if (what.do === 'claim') {
    const asked = { capabilities: ['default'], limit: what.limit };
    const claimed = await inStore(async (tx) =>
      claim(tx, { owner: 'w', begin: what.begins }, await within(tx, h.catalog, asked)),
    );
    held.push(...claimed.map((row) => ({ row, step: undefined })));
  } else if (what.do === 'cancel' || what.do === 'retry') {
    const all = await rows(h, jobs);
    const { ref } = all[what.n % all.length] ?? {};
    if (ref !== undefined) await h.run('ben', `job ${what.do} ${ref}`);
  } else if ('n' in what) {
    const one = held[what.n % held.length];
    if (!one) return undefined;
    const begun = one.row.state === 'running';
    if (what.do === 'begin' && !begun) one.row = (await inStore((tx) => begin(tx, one.row))) ?? one.row;
    else if (what.do === 'release' && !begun) await inStore((tx) => release(tx, one.row));
    else if (what.do === 'giveBack') await inStore((tx) => giveBack(tx, one.row, parts));
    else if (what.do === 'work' && begun) await turn(sagas, one, OUTCOMES[what.outcome]);
    return one;
  }
  return undefined;
}

/** What a worker does between two looks at the database. */
async function turn({ w }: Sagas, one: Claimed, outcome: Outcome): Promise<void> {
  const { store, catalog } = w.h;
  const runbook = one.row.plan ?? catalog.runbooks.get('release');
  if (!runbook) return;
  const tried = one.step && { ...one.step, outcome, receipts: [] };
  const ask = () => Promise.reject(new Error('nobody is asked'));
  const next = await store.transaction('main', (tx) => advance(tx, one.row, runbook, tried, { ask, random }));
  one.step = next.kind === 'try' ? next : undefined;
  if (next.kind === 'try' || next.outcome.kind === 'wait') return;
  const end = { outcome: next.outcome, runbook, receipts: [], random };
  await store.transaction('main', (tx) => finish(tx, one.row, end));
}

/** Whatever was left: it comes to an end by itself. */
export async function toTheEnd(sagas: Sagas): Promise<JobRow[]> {
  const { w, held } = sagas;
  for (let round = 0; round < 200; round += 1) {
    const all = await rows(w.h, jobs);
    if (all.every((row) => isOver(row.state))) return all;
    held.length = 0;
    await act(sagas, { do: 'pass', time: LEASE + HOUR });
    for (const each of ['recover', 'look'] as const) await act(sagas, { do: each });
    await act(sagas, { do: 'claim', limit: 9, begins: true });
    for (let at = 0; at < held.length; at += 1)
      for (let tries = 0; tries < 9; tries += 1) await act(sagas, { do: 'work', n: at, outcome: 'done' });
  }
  throw new Error('it does not come to an end');
}
