import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createOwn, ownAlone, type Holding, type Owned } from '../../src/core/owned.ts';
import type { Store } from '../../src/core/store.ts';
import { leases } from '../../src/domain/records.ts';
import { openDatabase } from '../../src/store/open.ts';
import type { Location } from '../../src/domain/location.ts';
import { flaky, silent, soon } from '../worker/support.ts';
import { createDatabase } from '../support/postgres.ts';

const told: string[] = [];
beforeEach(() => void told.splice(0));

const databases = [
  [
    'SQLite',
    300,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
      const at: Location = { kind: 'sqlite', path: join(folder, 'owned.db') };
      return { at, drop: async () => rmSync(folder, { recursive: true, force: true }) };
    },
  ],
  [
    'PostgreSQL',
    1_000,
    async () => {
      const database = await createDatabase();
      const at: Location = { kind: 'postgres', url: database.url };
      return { at, drop: () => database.drop() };
    },
  ],
] as const;

// The lease is long enough for a machine that has much else to do.
describe.each(databases)('on %s', (name, ttl, create) => {
  let database: { readonly at: Location; drop(): Promise<void> };
  let watching: Store;
  const all: Owned[] = [];
  const stores: Store[] = [];
  const acting = new Set<string>();
  const open = async () => {
    const store = await openDatabase(database.at);
    stores.push(store);
    return store;
  };
  beforeEach(async () => {
    acting.clear();
    database = await create();
    watching = await open();
  });
  afterEach(async () => {
    await Promise.all(all.splice(0).map((owned) => owned.stop()));
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await database.drop();
  });

  /** A process as far as the database is concerned: connections of its own, and real time. */
  async function process(owner: string, holding: Holding = {}) {
    const reach = flaky(await open());
    const own = createOwn({ store: reach.store, workspace: 'main', owner, log: silent, ttl });
    const owned = own('mailbox', {
      async begin() {
        acting.add(owner);
        told.push(`${[...acting].join('+')} begins`);
        await holding.begin?.();
      },
      async end() {
        await holding.end?.();
        acting.delete(owner);
        told.push(`${owner} ends`);
      },
    });
    all.push(owned);
    return { owned, reach };
  }
  const until = async () => {
    const row = await watching.read('main', (tx) => tx.get(leases, { id: 'mailbox' }));
    return row?.expiresAt.getTime() ?? 0;
  };
  const renewed = async () => {
    const before = await until();
    await soon(async () => expect(await until()).toBeGreaterThan(before));
  };

  test('one of two has charge of it for as long as it renews, and the other when it is given up', async () => {
    const [{ owned: a }, { owned: b }] = [await process('a'), await process('b')];
    await a.start();
    await b.start();
    await renewed();
    await renewed();
    expect([a.held, b.held]).toEqual([true, false]);
    expect([a.taken, b.taken]).toEqual([false, true]);
    await a.stop();
    expect(a.held).toBe(false);
    await soon(() => expect(told).toEqual(['a begins', 'a ends', 'b begins']));
    expect(b.held).toBe(true);
  });

  test('who cannot renew it ends before another begins', async () => {
    const a = await process('a');
    const b = await process('b');
    await a.owned.start();
    await b.owned.start();
    a.reach.away = true;
    await soon(() => expect(told).toEqual(['a begins', 'a ends', 'b begins']));
    expect([a.owned.held, b.owned.held]).toEqual([false, true]);
    a.reach.away = false;
    await renewed();
    expect(a.owned.held).toBe(false);
  });

  test('a lease that one who was killed holds for an hour, by a clock set back since, is taken over in its usual time', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    await watching.transaction('main', (tx) =>
      tx.insert(leases, { id: 'mailbox', holder: 'killed', fence: 1, expiresAt }),
    );
    const { owned } = await process('b');
    await owned.start();
    expect([owned.held, owned.taken]).toEqual([false, true]);
    await soon(() => expect(told).toEqual(['b begins']));
    expect(owned.held).toBe(true);
  });

  test.runIf(name === 'SQLite')('who comes back to a lease that nobody took begins again', async () => {
    const { owned, reach } = await process('a');
    await owned.start();
    reach.away = true;
    await soon(() => expect(told).toEqual(['a begins', 'a ends']));
    // Nobody can tell whose it is.
    expect([owned.held, owned.taken]).toEqual([false, false]);
    reach.away = false;
    await soon(() => expect(told).toEqual(['a begins', 'a ends', 'a begins']));
    expect(owned.held).toBe(true);
  });

  test.runIf(name === 'SQLite')('a beginning that takes longer than the lease loses nothing', async () => {
    const gate = Promise.withResolvers<void>();
    const { owned } = await process('a', { begin: () => gate.promise });
    const { owned: other } = await process('b');
    const started = owned.start();
    await soon(() => expect(told).toEqual(['a begins']));
    await other.start();
    await renewed();
    await renewed();
    gate.resolve();
    await started;
    expect([owned.held, other.held]).toEqual([true, false]);
    expect(told).toEqual(['a begins']);
  });

  test.runIf(name === 'SQLite')(
    'a beginning that fails fails the start and frees the lease; a later one is tried again',
    async () => {
      let broken = true;
      const begin = () => {
        if (broken) throw new Error('login refused');
      };
      const warn = vi.spyOn(silent, 'warn');
      await expect((await process('a', { begin })).owned.start()).rejects.toThrow('login refused');
      acting.clear();
      const [{ owned: b }, { owned: c }] = [await process('b'), await process('c', { begin })];
      await b.start();
      expect(b.held).toBe(true);
      await c.start();
      await b.stop();
      await soon(() =>
        expect(warn).toHaveBeenCalledWith(
          { err: new Error('login refused'), lease: 'mailbox' },
          expect.stringContaining('tried again'),
        ),
      );
      broken = false;
      told.length = 0;
      await soon(() => expect(told).toEqual(['c begins']));
    },
  );

  test.runIf(name === 'SQLite')('a stop while the database is away is a stop all the same', async () => {
    const { owned, reach } = await process('a');
    await owned.start();
    reach.away = true;
    const warn = vi.spyOn(silent, 'warn');
    await owned.stop();
    expect(told).toEqual(['a begins', 'a ends']);
    expect(warn).toHaveBeenCalledWith(
      expect.objectContaining({ lease: 'mailbox' }),
      expect.stringContaining('its lease was not given up'),
    );
  });
});

test('alone, everything is one’s own', async () => {
  const owned = ownAlone('mailbox', { begin: () => told.push('begins'), end: () => told.push('ends') });
  expect(owned.held).toBe(false);
  await owned.start();
  expect(owned.held).toBe(true);
  await owned.stop();
  expect([owned.held, ...told]).toEqual([false, 'begins', 'ends']);
});
