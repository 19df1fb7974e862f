import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownAlone } from '../../src/core/owned.ts';
import type { Services } from '../../src/core/services.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import { schedules } from '../../src/domain/schedule.ts';
import { tasks } from '../../src/domain/task.ts';
import type { Store } from '../../src/core/store.ts';
import { openPostgres } from '../../src/store/postgres/store.ts';
import { openSqlite } from '../../src/store/sqlite/store.ts';
import { Scheduler } from '../../src/worker/schedules.ts';
import { events, job, rows } from '../core/support.ts';
import { createHarness, type Harness, type TestClock } from '../support/harness.ts';
import { createDatabase } from '../support/postgres.ts';
import { servicesOf } from './support.ts';

let h: Harness;
let scheduler: Scheduler;
const create = (over: Partial<Services> = {}) =>
  new Scheduler({ services: servicesOf(h, over), workspace: 'main', own: ownAlone });
beforeEach(async () => {
  // The clock stands at 2026-03-02T09:00:00Z.
  h = await createHarness();
  await h.run('ana', 'role add planner schedule:* job:* runbook:* task:*');
  await h.run('ana', 'person add pia --roles planner');
  scheduler = create();
});
afterEach(async () => {
  await scheduler.stop();
  await h.close();
});

const add = async (text: string) => {
  const answer = await h.run('pia', `schedule add ${text}`);
  expect(answer.status, answer.reply.text).toBe('ok');
};
const hourly = (more = '') => add(`x "job run restart" --cron "0 * * * *" ${more}`);
const after = async (milliseconds: number) => {
  h.clock.pass(milliseconds);
  await scheduler.tick();
};
const schedule = async () => {
  const [row] = await rows(h, schedules);
  if (!row) throw new Error('no schedule');
  return row;
};
const count = async () => (await rows(h, jobs)).length;

describe('a time that is due', () => {
  test('runs its command once, as whoever wrote it', async () => {
    await hourly();
    await after(HOUR - 1);
    expect(await count()).toBe(0);
    await after(1);
    await scheduler.tick();
    expect(await count()).toBe(1);
    expect(await job(h)).toMatchObject({ requester: 'pia', runbook: 'restart', state: 'queued' });
    expect(await schedule()).toMatchObject({
      nextAt: new Date('2026-03-02T11:00:00Z'),
      lastAt: new Date('2026-03-02T10:00:00Z'),
      runs: 1,
      lastOutcome: 'JOB-1 is queued: restart.',
    });
    const [ran] = await events(h, /^schedule\.ran$/);
    const [accepted] = (await events(h, /^command\.accepted$/)).slice(-1);
    expect(ran).toMatchObject({
      actor: 'system',
      target: 'SCH-1',
      details: { at: '2026-03-02T10:00:00.000Z' },
    });
    expect(accepted).toMatchObject({
      actor: 'pia',
      target: 'job.run',
      cause: ran?.id,
      correlationId: ran?.correlationId,
      details: { channel: 'schedule', identity: 'schedule:SCH-1' },
    });
  });

  test('reads its words anew: friday is the next one', async () => {
    await add('weekly "task create Retro --due friday" --cron "0 9 * * mon"');
    await after(7 * DAY);
    await after(7 * DAY);
    expect(
      (await rows(h, tasks, { orderBy: [{ column: 'id' }] })).map((t) => t.due?.toISOString().slice(0, 10)),
    ).toEqual(['2026-03-13', '2026-03-20']);
  });

  test('asks for approval, which its author cannot give', async () => {
    await h.run('ana', 'role grant approver pia');
    await add('x "job run deploy --env staging" --cron "0 * * * *"');
    await after(HOUR);
    expect(await job(h)).toMatchObject({ state: 'waiting', approval: 'APR-1' });
    expect((await schedule()).lastOutcome).toContain('JOB-1 waits for APR-1');
    expect((await h.run('pia', 'approve APR-1')).error?.code).toBe('forbidden');
  });

  test('that runs once is over after it', async () => {
    await add('x "job run restart" --at 2026-03-02T10:00');
    await after(HOUR);
    await after(DAY);
    expect(await count()).toBe(1);
    expect(await schedule()).toMatchObject({ nextAt: null, runs: 1 });
  });

  test('does not come while it is paused', async () => {
    await hourly();
    await h.run('pia', 'schedule pause x');
    await after(5 * HOUR);
    expect(await count()).toBe(0);
  });
});

describe('what was missed while nothing ran', () => {
  const outcome = async () => [
    await count(),
    (await events(h, /^schedule\.missed$/)).map((e) => e.details?.['times']),
  ];

  test('skip: not run, but told', async () => {
    await hourly('--missed skip');
    await after(5 * HOUR + 30 * MINUTE);
    expect(await outcome()).toEqual([0, [5]]);
    await after(30 * MINUTE);
    expect(await count()).toBe(1);
  });

  test('one: a single run', async () => {
    await hourly('--missed one');
    await after(5 * HOUR + 30 * MINUTE);
    expect(await outcome()).toEqual([1, [4]]);
  });

  test('all: each, at most a hundred, which is told', async () => {
    await hourly('--missed all');
    await after(5 * HOUR + 30 * MINUTE);
    expect(await outcome()).toEqual([5, []]);
    await after(10 * DAY);
    expect(await outcome()).toEqual([105, [101]]);
    expect((await events(h, /^schedule\.missed$/))[0]?.details).toMatchObject({ more: true, policy: 'all' });
    expect((await schedule()).nextAt).toEqual(new Date('2026-03-12T15:00:00Z'));
  });
});

describe('once', () => {
  test('a clock that goes back repeats nothing', async () => {
    await hourly();
    await after(HOUR);
    h.clock.pass(-30 * MINUTE);
    await scheduler.tick();
    await after(30 * MINUTE);
    expect(await count()).toBe(1);
    await after(HOUR);
    expect(await count()).toBe(2);
  });

  test('a tick whose transaction fails is not lost', async () => {
    await hourly();
    let fail = true;
    const store = new Proxy(h.store, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name === 'transaction' && fail) return () => Promise.reject(new Error('the database is away'));
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const flaky = create({ store });
    h.clock.pass(HOUR);
    await flaky.tick();
    expect(await count()).toBe(0);
    fail = false;
    await flaky.tick();
    expect(await count()).toBe(1);
  });
});

test('looks by itself while it is in charge, and not after it was stopped', async () => {
  await add('x "job run restart" --cron "*/10 * * * * *"');
  h.clock.pass(10 * SECOND);
  await scheduler.start();
  await expect.poll(count, { interval: 20, timeout: 5_000 }).toBe(1);
  await scheduler.stop();
  h.clock.pass(10 * SECOND);
  expect(await count()).toBe(1);
});

describe.each([
  ['SQLite', undefined],
  ['PostgreSQL', createDatabase],
] as const)('on %s, however many look', (_name, database) => {
  test('three schedulers on two connections run each time once', async () => {
    await h.close();
    const db = await database?.();
    const open = async (path: string, clock: TestClock): Promise<Store> =>
      db ? openPostgres({ url: db.url, clock }) : openSqlite({ path, clock });
    h = await createHarness({}, [], open);
    const other = await open(h.file, h.clock);
    const three = [create(), create({ store: other }), create({ store: other })];
    for (const text of [
      'x "job run restart" --cron "0 * * * *"',
      'y "job run restart" --cron "*/10 * * * *" --missed all',
    ])
      await h.run('ana', `schedule add ${text}`);
    h.clock.pass(HOUR);
    await Promise.all(three.flatMap((one) => [one.tick(), one.tick()]));
    // Where two met, one gave way; what is left is run by the next look.
    await three[0]?.tick();
    h.clock.pass(HOUR);
    await Promise.all(three.map((one) => one.tick()));
    await three[1]?.tick();
    const ran = (await events(h, /^schedule\.ran$/)).map((e) =>
      JSON.stringify([e.target, e.details?.['at']]),
    );
    expect(new Set(ran).size).toBe(ran.length);
    expect([ran.length, await count()]).toEqual([2 + 12, 2 + 12]);
    await other.close();
    await db?.drop();
  });
});
