import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import Database from 'better-sqlite3';
import { createMember } from '../../src/assembly.ts';
import type { Services } from '../../src/core/services.ts';
import type { ChannelState } from '../../src/channels.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { Metrics } from '../../src/metrics.ts';
import { readiness } from '../../src/readiness.ts';
import type { SqliteStore } from '../../src/store/sqlite/store.ts';
import { JobWorker } from '../../src/worker/jobs.ts';
import { OutboxWorker } from '../../src/worker/outbox.ts';
import { Router } from '../../src/worker/router.ts';
import { Sweeper } from '../../src/worker/sweep.ts';
import { createBackground, type Background, type BackgroundOptions } from '../../src/background.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { now, silent, soon } from '../worker/support.ts';

let h: Harness;
let options: BackgroundOptions;
let background: Background;
beforeEach(async () => {
  h = await createHarness();
  const services: Services = {
    ...h,
    admission: { admit: async () => undefined, hold: () => () => undefined },
    newId: () => 'id',
    log: silent,
    health: () => ({}),
  };
  options = {
    services,
    env: {},
    metrics: new Metrics(() => []),
    adapters: [],
    self: 'http://127.0.0.1:9',
    jobs: { capabilities: ['default'], concurrency: 8, prefetch: 0 },
    ...createMember(h.store, 'main', silent),
  };
  background = createBackground(options);
});
afterEach(async () => {
  await background.stop(now());
  await h.close();
});

const STOPPED = { JobWorker, Router, Sweeper, OutboxWorker };

test.each(Object.entries(STOPPED))(
  'a stop goes on to the end when that of %s fails, and says so',
  async (_name, failing) => {
    const warn = vi.spyOn(silent, 'warn');
    const stops = Object.values(STOPPED).map((worker) =>
      vi.spyOn(worker.prototype as { stop(): Promise<void> }, 'stop'),
    );
    const stuck = vi.spyOn(failing.prototype as { stop(): Promise<void> }, 'stop');
    stuck.mockRejectedValueOnce(new Error('stuck'));
    await background.stop(now());
    for (const stop of stops) expect(stop).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls).toEqual([[{ err: new Error('stuck') }, 'a worker did not stop cleanly']]);
  },
);

describe('readiness', () => {
  const ready = (over: { sinceLook?: number; channels?: ChannelState[]; started?: boolean } = {}) => {
    const { sinceLook = 0, channels = [], started = true } = over;
    // The harness opens the real store.
    const store = h.store as SqliteStore;
    const looking = { ...background, sinceLook: () => sinceLook };
    return readiness({
      store,
      schema,
      workspace: 'main',
      channels,
      background: started ? looking : undefined,
    });
  };
  let schema: number;
  beforeEach(() => {
    schema = (h.store as SqliteStore).schema;
  });

  test('is there while all goes well, with the end of the journal', async () => {
    const checks = { database: 'ok', migrations: 'ok', queue: 'ok', journal: 1, channels: {} };
    expect(await ready()).toEqual({ ok: true, checks });
    expect(await ready({ sinceLook: 9 * SECOND })).toMatchObject({ ok: true });
    expect(background.sinceLook()).toBeLessThan(10 * SECOND);
  });

  test('is there where others run the jobs, and tells how many those are', async () => {
    const server = createBackground({ ...options, jobs: undefined });
    expect(server.sinceLook()).toBeUndefined();
    const look = () =>
      readiness({
        store: h.store as SqliteStore,
        schema,
        workspace: 'main',
        channels: [],
        background: server,
      });
    expect(await look()).toMatchObject({
      ok: true,
      checks: { queue: 'run elsewhere: 0 workers are alive' },
    });
    background.start();
    await soon(async () =>
      expect(await look()).toMatchObject({ checks: { queue: 'run elsewhere: 1 worker is alive' } }),
    );
    // One that was killed says nothing any more.
    h.clock.pass(10 * SECOND);
    expect(await look()).toMatchObject({ checks: { queue: 'run elsewhere: 0 workers are alive' } });
  });

  test('is not where nobody looks for jobs, or not yet', async () => {
    for (const over of [{ sinceLook: 10 * SECOND }, { started: false }])
      expect(await ready(over)).toMatchObject({
        ok: false,
        checks: { database: 'ok', queue: 'nobody looks for jobs' },
      });
  });

  test('is not where a newer program has changed the schema', async () => {
    const other = new Database(h.file);
    other.pragma(`user_version = ${schema + 1}`);
    other.close();
    expect(await ready()).toMatchObject({
      ok: false,
      checks: { migrations: `the database has schema ${schema + 1} now; start anew`, queue: 'ok' },
    });
  });

  test('is not where the end of the journal cannot be read, or a channel is deaf', async () => {
    const channels: ChannelState[] = [{ name: 'slack', health: { state: 'deaf', reason: 'no socket' } }];
    expect(await ready({ channels })).toMatchObject({
      ok: false,
      checks: { database: 'ok', channels: { slack: { state: 'deaf', reason: 'no socket' } } },
    });
    const other = new Database(h.file);
    other.exec(`DROP TRIGGER journal_no_update; UPDATE journal SET details = '{no JSON'`);
    other.close();
    expect(await ready()).toMatchObject({ ok: false, checks: { queue: 'ok' } });
    expect((await ready()).checks.database).not.toBe('ok');
  });
});
