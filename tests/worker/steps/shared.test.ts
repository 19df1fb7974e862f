import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Store } from '../../../src/core/store.ts';
import { HOUR } from '../../../src/domain/clock.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import { Waits } from '../../../src/worker/waits.ts';
import { events } from '../../core/support.ts';
import { createDatabase } from '../../support/postgres.ts';
import { createHarness, type TestClock } from '../../support/harness.ts';
import { tempFolder } from '../../support/temp.ts';
import { release, step, world } from './world.ts';

type Open = (clock: TestClock) => Promise<Store>;

/** A database that as many processes as like may open. */
const DATABASES: Record<string, () => Promise<{ open: Open; drop: () => Promise<unknown> }>> = {
  SQLite: async () => {
    const path = join(tempFolder(), 'shared.db');
    return { open: async (clock) => openSqlite({ path, clock }), drop: async () => undefined };
  },
  PostgreSQL: async () => {
    const { url, drop } = await createDatabase();
    return { open: (clock) => openPostgres({ url, clock }), drop };
  },
};

test.each(Object.keys(DATABASES))('of several processes on %s exactly one wakes a job', async (name) => {
  const { open, drop } = (await DATABASES[name]?.()) ?? { open: undefined, drop: undefined };
  const hold = {
    name: 'hold',
    wait: { kind: 'event', event: 'event.*', when: undefined, timeout: HOUR },
  } as const;
  const w = await world(release([hold, step('build')]), (over, more) =>
    createHarness(over, more, (_path, clock) => open!(clock)),
  );
  const others = await Promise.all([1, 2].map(() => open!(w.h.clock)));
  onTestFinished(async () => {
    for (const store of others) await store.close();
    await w.close();
    await drop?.();
  });
  const watching = others.map((store) => new Waits({ ...w.services, store }, 'main'));
  onTestFinished(async () => void (await Promise.all(watching.map((waits) => waits.stop()))));
  for (const waits of watching) waits.start();
  w.waits();
  w.worker();
  for (const ref of ['JOB-1', 'JOB-2', 'JOB-3']) {
    await w.h.run('ben', 'job run release');
    await w.state('waiting', ref);
  }
  await w.h.run('ana', { command: 'event.add', args: { event: 'deployed', target: 'api' } });
  for (const ref of ['JOB-1', 'JOB-2', 'JOB-3']) await w.state('succeeded', ref);
  expect(w.ran()).toEqual(['build', 'build', 'build']);
  const woken = (await events(w.h, /^job\.step_done$/)).filter((e) => e.details['step'] === 'hold');
  expect(woken.map((e) => e.target).toSorted()).toEqual(['JOB-1', 'JOB-2', 'JOB-3']);
});

test.each(Object.keys(DATABASES))('on %s a step asks for an approval, and goes on with it', async (name) => {
  const { open, drop } = (await DATABASES[name]?.()) ?? { open: undefined, drop: undefined };
  const policy = { quorum: 1, roles: ['approver'], persons: [], timeout: HOUR };
  const confirm = { name: 'confirm', wait: { kind: 'approval', approval: policy } } as const;
  const w = await world(release([step('build'), confirm, step('deploy')]), (over, more) =>
    createHarness(over, more, (_path, clock) => open!(clock)),
  );
  onTestFinished(async () => {
    await w.close();
    await drop?.();
  });
  w.worker();
  await w.h.run('ben', 'job run release');
  await w.state('waiting');
  expect((await w.h.run('ben', 'approve APR-1')).error?.code).toBe('forbidden');
  await w.h.run('cho', 'approve APR-1');
  await w.state('succeeded');
  await w.h.run('ben', 'job run release');
  await w.state('waiting', 'JOB-2');
  await w.h.run('cho', 'deny APR-2 --reason no');
  expect((await w.state('failed', 'JOB-2')).error).toBe('confirm: APR-2 denied: no');
  expect(w.ran()).toEqual(['build', 'deploy', 'build', 'unbuild']);
});
