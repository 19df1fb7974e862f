import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DAY, MINUTE } from '../../../src/domain/clock.ts';
import type { JobRow } from '../../../src/domain/job.ts';
import type { Step } from '../../../src/domain/runbook.ts';
import { events } from '../../core/support.ts';
import { DATABASES } from '../../support/databases.ts';
import { tries } from '../../support/runbook.ts';
import { live, type CancelAt, type CrashAt } from './driver.ts';
import { broken, busy, done, inner, release, step, world, type World } from './world.ts';

const MANY = { tries: tries({ max: 20 }) };
/** One try of the whole has to do: no crash uses it up. */
const LONG = { timeout: DAY, tries: tries({ max: 1 }) };
const hold: Step = { name: 'hold', wait: { kind: 'time', duration: MINUTE } };
const saga = () =>
  release([step('build', {}, MANY), hold, step('deploy', {}, MANY), step('check', {}, MANY)], LONG);

/** What holds at the end, whatever happened on the way. */
async function expectSound(w: World, job: JobRow): Promise<void> {
  const rows = await w.rows(job.ref);
  const told = (await events(w.h, /^job\.step_done$/)).filter(({ target }) => target === job.ref);
  const once = told.map(({ details }) => JSON.stringify([details['phase'], details['step']]));
  expect(new Set(once).size).toBe(once.length);
  // A key belongs to one step, forward or back, and every try of it went out with that key.
  const keys = new Map<string, Set<string>>();
  for (const { runbook, idempotencyKey } of w.calls)
    keys.set(runbook, (keys.get(runbook) ?? new Set()).add(idempotencyKey));
  for (const [, used] of keys) expect(used.size).toBe(1);
  expect(new Set(w.calls.map((call) => call.idempotencyKey)).size).toBe(keys.size);
  const kept = rows.filter((row) => row.phase === 'forward' && row.state === 'done').map((row) => row.name);
  const undone = rows.filter((row) => row.phase === 'compensating').map((row) => row.name);
  if (job.state === 'succeeded') {
    expect(undone).toEqual([]);
    expect(w.ran().filter((name) => name.startsWith('un'))).toEqual([]);
    return;
  }
  expect(undone).toEqual(kept.toReversed());
  // Nothing went forward any more once something was undone.
  const first = w.ran().findIndex((name) => name.startsWith('un'));
  if (first >= 0)
    expect(
      w
        .ran()
        .slice(first)
        .every((name) => name.startsWith('un')),
    ).toBe(true);
}

/** Asks for a job, runs it to its end, and looks at it. Returns how many of the crashes did not come to pass. */
async function through(
  w: World,
  n: number,
  crashes: readonly CrashAt[],
  cancel: CancelAt | null,
): Promise<{ job: JobRow; left: number }> {
  const ref = `JOB-${n}`;
  await w.h.run('ben', 'job run release');
  const outcome = await live(w, ref, crashes, cancel);
  await expectSound(w, outcome.job);
  w.forget();
  return outcome;
}

describe.each(DATABASES)('a job of steps on %s', (_database, open) => {
  let w: World;
  beforeEach(async () => {
    w = await world(saga(), open);
  });
  afterEach(() => w.close());

  test.each(['succeeded', 'failed', 'cancelled'] as const)(
    'that is %s in the end survives a crash around every transaction',
    async (end) => {
      let n = 0;
      for (const when of ['before', 'after'] as const)
        for (let transaction = 1, left = 0; left === 0; transaction += 1) {
          // A crash may lose an answer, and the next try gets the next.
          if (end === 'failed') w.answer('check', busy, ...Array<typeof broken>(9).fill(broken));
          n += 1;
          const cancel = end === 'cancelled' ? ({ at: 'pause', n: 1 } as const) : null;
          const ran = await through(w, n, [{ transaction, when }], cancel);
          left = ran.left;
          expect(ran.job.state).toBe(end);
        }
      // Claims, tries, waits and ends: were it fewer, the crashes would not have come to pass.
      expect(n).toBeGreaterThan(15);
    },
    60_000,
  );
});

describe('whatever goes wrong, in whatever order', () => {
  let w: World;
  const few = { tries: tries({ max: 3 }) };
  beforeAll(async () => {
    const check = { name: 'check', runbook: inner('check', few), args: {}, compensate: undefined };
    w = await world(release([step('build', {}, few), hold, step('deploy', {}, few), check], LONG));
  });
  afterAll(() => w.close());

  const crash = fc.record<CrashAt>({
    transaction: fc.integer({ min: 1, max: 8 }),
    when: fc.constantFrom('before', 'after'),
  });
  const answers = fc.array(fc.constantFrom(busy, broken, done()), { maxLength: 4 });
  const names = ['build', 'deploy', 'check', 'unbuild', 'undeploy'];

  test('each step that was done is kept to the end, or undone once', async () => {
    let n = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.record(Object.fromEntries(names.map((name) => [name, answers]))),
        fc.array(crash, { maxLength: 6 }),
        fc.option(
          fc.record<CancelAt>({ at: fc.constantFrom('call', 'pause'), n: fc.integer({ min: 1, max: 4 }) }),
        ),
        async (script, crashes, cancel) => {
          w.forget();
          for (const [name, list] of Object.entries(script)) w.answer(name, ...list);
          n += 1;
          await through(w, n, crashes, cancel);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});
