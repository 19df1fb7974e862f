import { afterEach, describe, expect, test } from 'vitest';
import type { Store, Tx } from '../../../src/core/store.ts';
import { MINUTE } from '../../../src/domain/clock.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { deadLetters, effects } from '../../../src/domain/records.ts';
import type { Step } from '../../../src/domain/runbook.ts';
import { jobSteps } from '../../../src/domain/step.ts';
import { events, rows } from '../../core/support.ts';
import { DATABASES } from '../../support/databases.ts';
import { tries } from '../../support/runbook.ts';
import { flaky, now, soon } from '../support.ts';
import { busy, done, release, step, untilStopped, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = (text = 'job run release') => w.h.run('ben', text);
const cancel = () => run('job cancel JOB-1');

const bound = (target: object, name: string | symbol): unknown => {
  const value = Reflect.get(target, name, target) as unknown;
  return typeof value === 'function' ? value.bind(target) : value;
};

/** A store in which the steps of a job cannot be read, as often as is said. */
function faulty(store: Store) {
  const faults: Refusal[] = [];
  const tx = (real: Tx): Tx =>
    new Proxy(real, {
      get: (target, name) => {
        if (name !== 'find') return bound(target, name);
        const find: Tx['find'] = async (table, query) => {
          const fault = (table as object) === jobSteps ? faults.shift() : undefined;
          if (fault) throw fault;
          return target.find(table, query);
        };
        return find;
      },
    });
  const transaction: Store['transaction'] = (workspace, work) =>
    store.transaction(workspace, (real) => work(tx(real)));
  return {
    store: new Proxy(store, {
      get: (target, name) => (name === 'transaction' ? transaction : bound(target, name)),
    }),
    fail: (...errors: Refusal[]) => faults.push(...errors),
  };
}

const away = new Refusal('unavailable', 'the database is away');
const fault = new Refusal('conflict', 'a fault of our own');
const hold: Step = { name: 'hold', wait: { kind: 'time', duration: MINUTE } };
const saga = (max: number) =>
  release([step('build'), step('deploy'), hold, step('check')], { tries: tries({ max }) });

describe.each(DATABASES)('on %s a fault at the beginning of a turn', (_database, open) => {
  async function untilWaiting(max = 1) {
    w = await world(saga(max), open);
    const { store, fail } = faulty(w.h.store);
    const worker = w.worker({ store, random: () => 0 });
    await run();
    await w.state('waiting');
    const goOn = async () => {
      w.h.clock.pass(MINUTE);
      await w.waits().look();
    };
    return { worker, fail, goOn };
  }

  test('that passes changes nothing, neither forward nor back', async () => {
    const { fail, goOn } = await untilWaiting();
    fail(away);
    await goOn();
    await w.state('succeeded');
    await run();
    await w.state('waiting', 'JOB-2');
    fail(away);
    await run('job cancel JOB-2');
    expect(await w.state('cancelled', 'JOB-2')).toMatchObject({ error: 'cancelled' });
    expect(w.ran()).toEqual(['build', 'deploy', 'check', 'build', 'deploy', 'undeploy', 'unbuild']);
    expect(await rows(w.h, deadLetters)).toEqual([]);
  });

  test('that stays has what was done undone, and the reason is told', async () => {
    const { fail, goOn } = await untilWaiting();
    fail(fault);
    await goOn();
    const { error, result } = await w.state('failed');
    expect(error).toBe('check: its steps could not be written down; see the server log');
    expect(result).toMatchObject({
      steps: [{ undone: 'done' }, { undone: 'done' }, {}, { state: 'failed' }],
    });
    expect(w.ran()).toEqual(['build', 'deploy', 'undeploy', 'unbuild']);
    expect(await rows(w.h, deadLetters)).toMatchObject([{ stage: 'run' }]);
  });

  test('that stays while it is undone is no end: it is told, kept, and undone at a retry', async () => {
    const { fail } = await untilWaiting();
    fail(fault);
    await cancel();
    const why = 'its steps could not be written down; see the server log; not undone: deploy, build';
    expect((await w.state('failed')).error).toBe(why);
    const stopped = `${why} (stopped by tries.max)`;
    expect(await rows(w.h, deadLetters)).toMatchObject([{ stage: 'compensate', reason: stopped }]);
    expect((await run('job retry JOB-1')).reply.text).toBe('JOB-1: what is left is being undone.');
    await w.state('cancelled');
    expect(w.ran()).toEqual(['build', 'deploy', 'undeploy', 'unbuild']);
  });

  test('is tried again as often as the whole may be, forward and back apart', async () => {
    const { worker, fail, goOn } = await untilWaiting(2);
    fail(fault, fault, fault);
    await goOn();
    expect(await w.ended(worker)).toMatchObject({ state: 'failed', phase: 'compensating' });
    expect(w.ran()).toEqual(['build', 'deploy', 'undeploy', 'unbuild']);
    fail(fault);
    const again = await w.h.run('ben', 'job retry JOB-1');
    expect(again.reply.text).toBe('JOB-1 is queued again.');
    await w.state('waiting');
  });
});

test('a worker that ends while its steps cannot be written leaves them to the next, and no try is used up', async () => {
  w = await world(release([step('build'), step('deploy')], { tries: tries({ max: 1 }) }));
  const { store, fail } = faulty(w.h.store);
  w.answer('build', () => {
    fail(...Array.from({ length: 1_000 }, () => away));
    return done();
  });
  const first = w.worker({ store });
  await run();
  await soon(() => expect(w.ran()).toEqual(['build']));
  await first.stop(now());
  expect(await w.state('queued')).toMatchObject({ attempt: 0, phase: 'forward' });
  w.worker({ owner: 'w2' });
  expect(await w.state('succeeded')).toMatchObject({ attempt: 1 });
  // Its answer was never written down, so the far side is asked again, under the same key.
  expect(w.ran()).toEqual(['build', 'build', 'deploy']);
  expect(w.calls[1]).toMatchObject({ attempt: 2, idempotencyKey: w.calls[0]?.idempotencyKey });
});

test('a worker that stops while it undoes after a cancel leaves the rest to the next', async () => {
  w = await world(release([step('build'), step('deploy')]));
  w.answer('deploy', busy);
  w.answer('unbuild', untilStopped);
  const first = w.worker();
  await run();
  await w.state('queued');
  await cancel();
  await soon(() => expect(w.ran()).toEqual(['build', 'deploy', 'unbuild']));
  await first.stop(now());
  w.worker({ owner: 'w2' });
  expect(await w.state('cancelled')).toMatchObject({ error: 'cancelled' });
  expect(w.ran()).toEqual(['build', 'deploy', 'unbuild', 'unbuild']);
});

test('what a step returned too much of is no repeat of it: it is undone, too', async () => {
  w = await world(release([step('build'), step('charge')]));
  w.answer('charge', { kind: 'fail', stage: 'report', reason: 'status 201, but it is unreadable' });
  w.worker();
  await run();
  expect(await w.state('failed')).toMatchObject({ error: 'charge: status 201, but it is unreadable' });
  expect(w.ran()).toEqual(['build', 'charge', 'uncharge', 'unbuild']);
  expect(await w.rows()).toMatchObject([
    { name: 'build', state: 'done', error: null },
    { name: 'charge', state: 'done', error: 'status 201, but it is unreadable' },
    { phase: 'compensating', state: 'done' },
    { phase: 'compensating', state: 'done' },
  ]);
});

describe.each(DATABASES)('on %s answers of the database that are lost', (_database, open) => {
  const once = { tries: tries({ max: 1 }) };
  const broken = { kind: 'fail', failure: 'refused', reason: 'broken' } as const;
  const usage = { units: { tokens: 7 }, cost: 0 };

  test.each(['build', 'deploy', 'check', 'undeploy', 'unbuild'])(
    'as %s ends: nothing is done, undone or counted twice, and no step is taken for lost',
    async (name) => {
      const steps = ['build', 'deploy', 'check'].map((each) => step(each, {}, once));
      w = await world(release(steps), open);
      const far = flaky(w.h.store);
      const worker = w.worker({ store: far.store, random: () => 0 });
      const isBack = name.startsWith('un');
      const outcome =
        name === 'check' ? { ...broken, usage } : ({ kind: 'done', result: {}, usage } as const);
      w.answer(name, () => {
        far.deaf = true;
        return outcome;
      });
      if (isBack) w.answer('check', broken);
      await run();
      await soon(() => expect(far.refused).toBeGreaterThan(2));
      far.deaf = false;
      const isUndone = isBack || name === 'check';
      expect(await w.ended(worker)).toMatchObject({ state: isUndone ? 'failed' : 'succeeded', usage });
      const ran = ['build', 'deploy', 'check', ...(isUndone ? ['undeploy', 'unbuild'] : [])];
      expect(w.ran()).toEqual(ran);
      expect((await rows(w.h, effects)).map(({ target }) => target)).toEqual(ran);
      const told = (await events(w.h, /^job\.step_(?:done|failed)$/)).map(({ details }) => details['step']);
      expect(told).toEqual(ran.map((each) => each.replace(/^un/, '')));
    },
  );
});
