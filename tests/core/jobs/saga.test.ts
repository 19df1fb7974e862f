import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY, HOUR, MINUTE } from '../../../src/domain/clock.ts';
import { isOver, jobs, type JobRow, type JobState } from '../../../src/domain/job.ts';
import type { JournalEntry } from '../../../src/domain/journal.ts';
import { deadLetters } from '../../../src/domain/records.ts';
import type { Step } from '../../../src/domain/runbook.ts';
import type { JobStepRow } from '../../../src/domain/step.ts';
import { Waits } from '../../../src/worker/waits.ts';
import { DATABASES } from '../../support/databases.ts';
import { tries } from '../../support/runbook.ts';
import { rows } from '../support.ts';
import { release, step, world, type World } from '../../worker/steps/world.ts';
import { steps as transitions } from './model.ts';
import { act, op, toTheEnd, type Sagas } from './saga-steps.ts';

const settle: Step = { name: 'settle', wait: { kind: 'time', duration: MINUTE } };
const told: Step = {
  name: 'told',
  wait: { kind: 'event', event: 'event.go', when: undefined, timeout: HOUR },
};
const announce: Step = { ...step('announce'), compensate: undefined };
const SAGA = [step('build'), settle, announce, told, step('deploy')];

/** Every event that tells of a state leads to it from the one before, as the page has it. */
function walk(entries: readonly JournalEntry[]): JobState | undefined {
  let state: JobState | undefined;
  for (const { event } of entries) {
    const known = transitions.filter((row) => row[4] === event);
    if (known.length === 0) continue;
    const to =
      known.find(([from]) => from === state)?.[1] ?? (state === undefined ? event.slice(4) : undefined);
    // A cancel between two tries leaves it queued, to be undone.
    expect([
      event,
      state,
      to ?? (event === 'job.queued' && state === 'queued' ? 'queued' : undefined),
    ]).not.toEqual([event, state, undefined]);
    state = (to ?? state) as JobState;
  }
  return state;
}

/** What happened since its steps last began at the first. */
function lifeOf(entries: readonly JournalEntry[]): readonly JournalEntry[] {
  const again = ({ event, details }: JournalEntry) =>
    event === 'job.queued' && details['retry'] === true && details['phase'] !== 'compensating';
  return entries.slice(Math.max(0, entries.findLastIndex(again)));
}

function checkSteps(row: JobRow, all: readonly JobStepRow[], life: readonly JournalEntry[]): void {
  const of = (event: string, phase: string) =>
    life.filter((e) => e.event === event && e.details['phase'] === phase).map((e) => e.details['step']);
  // 1: done once, forward and back.
  for (const phase of ['forward', 'compensating']) {
    const done = of('job.step_done', phase);
    expect(new Set(done).size).toBe(done.length);
  }
  // 2
  expect(new Set(all.map(({ key }) => key)).size).toBe(all.length);
  // 3
  const back = life.findIndex(
    (e) => e.details['phase'] === 'compensating' && e.event.startsWith('job.step_'),
  );
  const after = back < 0 ? [] : life.slice(back);
  expect(after.filter((e) => e.event === 'job.step_started' && e.details['phase'] === 'forward')).toEqual([]);
  // 5
  const undone = all.filter(({ phase }) => phase === 'compensating').map(({ position }) => position);
  expect(undone).toEqual(undone.toSorted((a, b) => b - a));
  // 4
  if (!isOver(row.state)) return;
  const kept = all.filter(({ phase, state }) => phase === 'forward' && state === 'done');
  if (row.state === 'succeeded') {
    expect([kept.length, undone]).toEqual([SAGA.length, []]);
    return;
  }
  const missing = kept.filter(({ position }) => {
    const undo = all.find((one) => one.phase === 'compensating' && one.position === position);
    return undo?.state !== 'done' && undo?.state !== 'skipped';
  });
  if (missing.length > 0) expect(row.state).toBe('failed');
  for (const { name } of missing) expect(row.error).toMatch(new RegExp(`not undone: .*${name}`));
}

async function check({ w }: Sagas): Promise<void> {
  const entries = await w.h.store.history('main', 0, 100_000);
  const letters = await rows(w.h, deadLetters, { where: { settledAt: null } });
  for (const row of await rows(w.h, jobs)) {
    const mine = entries.filter(({ target }) => target === row.ref);
    expect([row.ref, walk(mine)]).toEqual([row.ref, row.state]);
    const isHeld = row.state === 'assigned' || row.state === 'running';
    expect([row.leaseOwner !== null, row.leaseUntil !== null]).toEqual([isHeld, isHeld]);
    expect([row.waitFor !== null, row.waitUntil !== null]).toEqual(Array(2).fill(row.state === 'waiting'));
    expect(row.attempt).toBeGreaterThanOrEqual(0);
    expect(row.attempt).toBeLessThanOrEqual(row.maxAttempts);
    expect(row.endedAt !== null).toBe(isOver(row.state));
    expect(letters.some(({ job }) => job === row.ref)).toBe(row.state === 'failed');
    checkOrder(row);
    checkSteps(row, await w.rows(row.ref), lifeOf(mine));
  }
}

/** Within one try the instants are in the order of their states. */
function checkOrder({ state, queuedAt, assignedAt, runningAt, endedAt }: JobRow): void {
  const reached = { assigned: 2, running: 3, succeeded: 4 }[state as string] ?? 0;
  const instants = [queuedAt, assignedAt, runningAt, endedAt].slice(0, reached).map((at) => Number(at));
  expect(instants).toEqual(instants.toSorted((a, b) => a - b));
}

/** All that is written of jobs. */
const written = async (w: World) =>
  JSON.stringify([await rows(w.h, jobs), await w.h.store.history('main', 0, 100_000)]);

/** PostgreSQL is asked less often: what differs is below what these steps are made of. */
const RUNS = { SQLite: 30, PostgreSQL: 4 } as const;

test.each(DATABASES)(
  'whatever happens to jobs of steps in whatever order, the invariants of both pages hold on %s',
  { timeout: 120_000 },
  async (name, open) => {
    const reached = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(op, { minLength: 20, maxLength: 60, size: 'max' }), async (list) => {
        const w = await world(release(SAGA, { timeout: DAY, tries: tries({ max: 1 }) }), open);
        const sagas: Sagas = { w, waits: new Waits(w.services, 'main'), held: [] };
        try {
          await act(sagas, { do: 'ask' });
          for (const each of list) {
            const fence = new Map((await rows(w.h, jobs)).map((row) => [row.id, row]));
            const before = await written(w);
            const claim = await act(sagas, each);
            const row = claim && fence.get(claim.row.id);
            // 6: whoever has lost the claim writes nothing.
            if (claim && (row?.fence !== claim.row.fence || row.leaseOwner === null))
              expect(await written(w)).toBe(before);
            await check(sagas);
          }
          for (const { state, phase } of await rows(w.h, jobs)) reached.add(`${state} ${phase}`);
          await toTheEnd(sagas);
          await check(sagas);
        } finally {
          await w.close();
        }
      }),
      { numRuns: RUNS[name] },
    );
    // Were these never met, nothing would have been shown of them.
    if (name === 'SQLite')
      expect([...reached]).toEqual(expect.arrayContaining(['waiting forward', 'failed compensating']));
  },
);
