import { afterEach, describe, expect, test } from 'vitest';
import { HOUR, MINUTE } from '../../../src/domain/clock.ts';
import { jobLogs, jobs } from '../../../src/domain/job.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { Step, StepWait } from '../../../src/domain/runbook.ts';
import { events, identity, job, rows } from '../../core/support.ts';
import type { ReadTx } from '../../../src/core/store.ts';
import type { Services } from '../../../src/core/services.ts';
import type { Query, Table } from '../../../src/domain/table.ts';
import { Waits } from '../../../src/worker/waits.ts';
import { soon } from '../support.ts';
import { calls, done, release, step, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = (text = 'job run release --service api') => w.h.run('ben', text);
const waits = (wait: StepWait, name = 'hold'): Step => ({ name, wait });
const outside = async (details: JsonObject) => {
  const answer = await w.h.run('ana', {
    command: 'event.add',
    args: { event: 'deployed', target: 'api', details },
  });
  expect(answer.status).toBe('ok');
};
const pass = (milliseconds: number) => w.h.clock.pass(milliseconds);

describe('a step that waits for a time', () => {
  test('holds no worker, and the job goes on when it has come', async () => {
    w = await world(release([step('build'), waits({ kind: 'time', duration: 10 * MINUTE }), step('deploy')]));
    w.worker();
    const waiter = w.waits();
    await run();
    const waiting = await w.state('waiting');
    const until = new Date(w.h.clock.now().getTime() + 10 * MINUTE);
    expect(waiting).toMatchObject({
      leaseOwner: null,
      leaseUntil: null,
      waitFor: { kind: 'time' },
      waitUntil: until,
      attempt: 0,
    });
    pass(10 * MINUTE - 1);
    await waiter.look();
    expect((await job(w.h)).state).toBe('waiting');
    pass(1);
    await waiter.look();
    expect(await w.state('succeeded')).toMatchObject({ attempt: 1, waitFor: null, waitUntil: null });
    expect(w.ran()).toEqual(['build', 'deploy']);
    const lines = await rows(w.h, jobLogs, {
      where: { job: 'JOB-1', stream: 'info' },
      orderBy: [{ column: 'id' }],
    });
    expect(lines.map(({ line }) => line)).toEqual([
      'build: build, try 1 of 2',
      `hold: waits until ${until.toISOString()}`,
      'hold: goes on',
      'deploy: deploy, try 1 of 2',
    ]);
  });

  test('goes by the clock of the store, not by this machine’s', async () => {
    w = await world(release([waits({ kind: 'time', duration: MINUTE })]));
    w.worker();
    const behind = { now: () => new Date(w.h.clock.now().getTime() - HOUR) };
    const waiter = new Waits({ ...w.services, clock: behind }, 'main');
    await run();
    await w.state('waiting');
    pass(MINUTE);
    await waiter.look();
    expect((await w.state('succeeded')).attempt).toBe(1);
  });
});

describe('a step that waits for an event', () => {
  const wait = { kind: 'event', event: 'event.*', when: undefined, timeout: HOUR } as const;

  test('goes on with the first that fits, and hands it on', async () => {
    const when = 'event.details.service == args.service && event.details.build == steps.build.id';
    w = await world(
      release([
        step('build'),
        waits({ ...wait, when }),
        {
          name: 'deploy',
          ...calls('deploy', { by: '${steps.hold.actor}', id: '${steps.hold.details.build}' }),
          compensate: undefined,
        },
      ]),
    );
    w.answer('build', done({ id: 7 }));
    w.worker();
    w.waits();
    await outside({ service: 'api', build: 7 });
    await run();
    await w.state('waiting');
    await outside({ service: 'web', build: 7 });
    await outside({ other: true });
    await outside({ service: 'api', build: 7 });
    await w.state('succeeded');
    expect(w.calls.at(-1)).toMatchObject({ runbook: 'deploy', args: { by: 'ana', id: 7 } });
    // Whoever may read jobs need not be allowed to read that event.
    const told = JSON.stringify((await events(w.h, /^job\./)).filter((e) => e.details['step'] === 'hold'));
    expect(told).toContain('"seq"');
    expect(told).not.toContain('"build":7');
    const shown = await w.h.run('vic', 'job show JOB-1');
    expect(shown.reply.data).toMatchObject({
      steps: [{ step: 'build', output: { id: 7 } }, { step: 'hold', state: 'done', output: null }, {}],
    });
    expect(shown.reply.text).toContain('  2. hold: done');
  });

  test('does not count what happened before it began', async () => {
    w = await world(release([waits(wait)]));
    w.worker();
    const waiter = w.waits();
    await outside({});
    await run();
    await w.state('waiting');
    await waiter.look();
    expect((await job(w.h)).state).toBe('waiting');
    expect(await job(w.h)).toMatchObject({ waitFor: { kind: 'event', event: 'event.*' } });
  });

  test('catches up with what was written while nobody looked, also many pages of it', async () => {
    w = await world(release([waits({ ...wait, when: 'event.details.last == true' }), step('build')]));
    w.worker();
    await run();
    const { waitFor } = await w.state('waiting');
    const many = (most: number, last: boolean) =>
      w.h.store.transaction('main', async (tx) => {
        for (let n = 1; n <= most; n += 1)
          await tx.append({
            event: 'event.told',
            actor: 'ana',
            target: 'x',
            correlationId: 'c',
            cause: null,
            details: { last: last && n === most },
          });
      });
    for (let n = 0; n < 11; n += 1) await many(500, false);
    const first = w.waits();
    await first.look();
    await first.stop();
    // How far it came is kept, so that the next does not begin at the beginning.
    expect((await job(w.h)).waitFor).not.toEqual(waitFor);
    await many(300, true);
    w.waits();
    await w.state('succeeded');
  });

  test('costs what is written, not how many wait', async () => {
    w = await world(release([waits({ ...wait, when: 'event.details.n == 1' })]));
    w.worker({ concurrency: 8 });
    for (let n = 0; n < 20; n += 1) await run();
    await w.state('waiting', 'JOB-20');
    await soon(async () => expect(await rows(w.h, jobs, { where: { state: 'waiting' } })).toHaveLength(20));
    let found = 0;
    const { store } = w.h;
    const counting = new Proxy(store, {
      get: (target, name) =>
        name === 'read'
          ? (workspace: string, work: (tx: ReadTx) => Promise<unknown>) =>
              target.read(workspace, (tx) =>
                work(
                  Object.create(tx, {
                    find: {
                      value: async (table: Table, query: Query<Table>) => {
                        const all = await tx.find(table, query);
                        if ((table as unknown) === jobs) found += all.length;
                        return all;
                      },
                    },
                  }) as ReadTx,
                ),
              )
          : (Reflect.get(target, name, target) as () => unknown).bind(target),
    });
    const waiter = new Waits({ ...w.services, store: counting }, 'main');
    await waiter.look();
    expect(found).toBeGreaterThan(0);
    found = 0;
    await outside({ n: 2 });
    await waiter.look();
    expect(found).toBe(0);
    await outside({ n: 1 });
    await waiter.look();
    await w.state('succeeded', 'JOB-20');
  });

  test('counts only what the key that asked for the job may read', async () => {
    w = await world(release([waits(wait)]));
    w.worker();
    const waiter = w.waits();
    const narrow = { scopes: ['job:*', 'runbook:*'] };
    await w.h.run('', 'job run release', { channel: 'rest', from: identity('principal', 'ana', narrow) });
    await w.state('waiting');
    await outside({});
    await waiter.look();
    expect((await job(w.h)).state).toBe('waiting');
  });

  test('that breaks holds up no other', async () => {
    w = await world(release([waits(wait)]));
    w.worker();
    await run();
    await w.state('waiting');
    await run();
    await w.state('waiting', 'JOB-2');
    const directory: Services['directory'] = {
      ...w.h.directory,
      byName: (tx, name, scopes) => {
        broke += 1;
        if (broke === 1) throw new TypeError('broken');
        return w.h.directory.byName(tx, name, scopes);
      },
    };
    let broke = 0;
    const waiter = new Waits({ ...w.services, directory }, 'main');
    await outside({});
    await waiter.look();
    expect((await w.state('succeeded', 'JOB-2')).error).toBeNull();
  });

  test('is woken once, however many processes look', async () => {
    w = await world(release([waits(wait), step('build')]));
    w.worker();
    for (let n = 0; n < 3; n += 1) w.waits();
    await run();
    await w.state('waiting');
    await Promise.all([outside({}), outside({}), outside({})]);
    await w.state('succeeded');
    expect(w.ran()).toEqual(['build']);
    expect(await events(w.h, /^job\.step_done/)).toHaveLength(2);
  });

  test('does not wait for what whoever asked may not read', async () => {
    w = await world(release([waits({ ...wait, event: 'person.*' })]));
    w.worker();
    const waiter = w.waits();
    await run();
    await w.state('waiting');
    await w.h.run('ana', 'person add eve');
    await waiter.look();
    expect((await job(w.h)).state).toBe('waiting');
  });

  test('fails at its deadline, and what was done is undone; what comes later does not count', async () => {
    w = await world(release([step('build'), waits(wait)]));
    w.worker();
    await run();
    await w.state('waiting');
    pass(HOUR + 1);
    await outside({});
    w.waits();
    expect((await w.state('failed')).error).toBe('hold: no event.* came in time');
    expect(w.ran()).toEqual(['build', 'unbuild']);
  });

  test('that is cancelled has what was done undone', async () => {
    w = await world(release([step('build'), waits(wait)]));
    w.worker();
    await run();
    await w.state('waiting');
    expect((await w.h.run('ben', 'job cancel JOB-1')).reply.text).toBe('JOB-1 is being undone.');
    await w.state('cancelled');
    expect(w.ran()).toEqual(['build', 'unbuild']);
  });

  test('twice in one job waits twice', async () => {
    w = await world(release([waits(wait, 'one'), waits(wait, 'two'), step('build')]));
    w.worker();
    w.waits();
    await run();
    await w.state('waiting');
    await outside({});
    await soon(async () => expect((await w.rows()).map((row) => row.state)).toEqual(['done', 'waiting']));
    await outside({});
    await w.state('succeeded');
  });
});

test('job show tells what a job waits for', async () => {
  w = await world(release([waits({ kind: 'event', event: 'job.failed', when: undefined, timeout: HOUR })]));
  w.worker();
  await run();
  await w.state('waiting');
  const shown = await w.h.run('vic', 'job show JOB-1');
  expect(shown.reply.text).toContain('job.failed');
  expect(shown.reply.data).toMatchObject({ waitsFor: { kind: 'event', event: 'job.failed' } });
});
