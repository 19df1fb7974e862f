import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LEASE } from '../../../src/core/jobs/claiming.ts';
import { DAY, HOUR, SECOND } from '../../../src/domain/clock.ts';
import { FAILURE_CLASSES } from '../../../src/domain/failure.ts';
import { checkStep, JOB_STATES, type JobState } from '../../../src/domain/job.ts';
import { DATABASES } from '../../support/databases.ts';
import { bounds, testRunbook, tries } from '../../support/runbook.ts';
import { FIRST_WAIT, MOST_AT_ONCE, page, steps, table, WORKERS } from './model.ts';
import {
  Again,
  Approve,
  Ask,
  Begin,
  Cancel,
  Claim,
  Finish,
  GiveBack,
  OUTCOMES,
  Pass,
  Recover,
  Release,
  Renew,
} from './model-steps.ts';

test('the page names every state and every class of failure', () => {
  expect(table('States').map(([name]) => name)).toEqual([...JOB_STATES]);
  expect(table('Retries').map(([name]) => name)).toEqual([...FAILURE_CLASSES]);
});

test('the page names every transition, and no other is possible', () => {
  const possible = (from: JobState, to: JobState) => {
    try {
      checkStep('JOB-1', from, to);
      return true;
    } catch {
      return false;
    }
  };
  const all = JOB_STATES.flatMap((from) => JOB_STATES.map((to) => `${from} ${to}`));
  const coded = all.filter((pair) => possible(...(pair.split(' ') as [JobState, JobState])));
  expect(new Set(steps.map(([from, to]) => `${from} ${to}`))).toEqual(new Set(coded));
  expect(new Set(page.match(/(?<=^  )\w+ --> \w+$/gm)?.map((line) => line.replace(' -->', '')))).toEqual(
    new Set(coded),
  );
});

const worker = fc.constantFrom(...WORKERS);
const n = fc.nat(7);
const commands = [
  fc
    .constantFrom<'restart' | 'backup' | 'deploy'>('restart', 'restart', 'backup', 'deploy')
    .map((r) => new Ask(r)),
  n.map((each) => new Approve(each)),
  n.map((each) => new Cancel(each)),
  fc
    .tuple(n, fc.constantFrom<'job retry' | 'job dead redrive'>('job retry', 'job dead redrive'))
    .map((a) => new Again(...a)),
  fc.tuple(worker, fc.integer({ min: 1, max: 4 }), fc.boolean()).map((a) => new Claim(...a)),
  fc.tuple(worker, n).map((a) => new Begin(...a)),
  fc.tuple(worker, n).map((a) => new Renew(...a)),
  fc
    .tuple(worker, n, fc.constantFrom(...(Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[])))
    .map((a) => new Finish(...a)),
  fc.tuple(worker, n).map((a) => new GiveBack(...a)),
  fc.tuple(worker, n).map((a) => new Release(...a)),
  fc.constant(new Recover()),
  fc.constantFrom(SECOND, 6 * SECOND, LEASE / 2, LEASE + 1, HOUR, -HOUR).map((time) => new Pass(time)),
];

const RUNBOOKS = [
  testRunbook({
    name: 'restart',
    bounds: bounds({ concurrency: MOST_AT_ONCE }),
    tries: tries({ backoff: FIRST_WAIT }),
  }),
  testRunbook({ name: 'backup', tries: tries({ backoff: FIRST_WAIT }) }),
];

/** PostgreSQL is asked less often: what differs is below what these steps are made of. */
const RUNS = { SQLite: 25, PostgreSQL: 4 } as const;

test.each(DATABASES)(
  'whatever happens in whatever order, the invariants of the page hold on %s',
  { timeout: 60_000 },
  async (name, open) => {
    const jobs = { concurrency: 3, queued: 1_000, depth: 5, causedPerHour: 60, keepLogs: 30 * DAY };
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 50, size: 'max' }), async (list) => {
        const h = await open({ jobs });
        const map = h.catalog.runbooks as Map<string, (typeof RUNBOOKS)[number]>;
        for (const runbook of RUNBOOKS) map.set(runbook.name, runbook);
        // However often the clock goes back, the people were there before.
        h.clock.pass(7 * DAY);
        try {
          const model = { now: h.clock.now().getTime(), jobs: new Map() };
          const real = { h, held: new Map(), fences: new Map() };
          await fc.asyncModelRun(() => ({ model, real }), list);
        } finally {
          await h.close();
        }
      }),
      { numRuns: RUNS[name] },
    );
  },
);
