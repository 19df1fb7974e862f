import { expect, onTestFinished, test } from 'vitest';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { createDatabase } from '../../support/postgres.ts';

async function opened() {
  const database = await createDatabase();
  const stores = await Promise.all([1, 2].map(() => openPostgres({ url: database.url })));
  onTestFinished(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await database.drop();
  });
  return { database, add: stores.map((store) => store.counts.add.bind(store.counts)) } as const;
}

test('two processes that tell thousands of senders at once add them up, and hinder nobody', async () => {
  const { database, add } = await opened();
  const keys = Array.from({ length: 7_000 }, (_, n) => `sender-${n}`);
  // In opposite orders, by which each would wait for the other.
  const [one, two] = await Promise.all([
    add[0]?.(new Map(keys.map((key) => [key, 1]))),
    add[1]?.(new Map(keys.toReversed().map((key) => [key, 2]))),
  ]);
  const sums = keys.map((key) => Math.max(one?.get(key)?.counted ?? 0, two?.get(key)?.counted ?? 0));
  expect(new Set(sums)).toEqual(new Set([3]));
  const [row] = await database.sql('SELECT count(*)::int AS n, sum(points)::int AS points FROM rate_limits');
  expect(row).toEqual({ n: 7_000, points: 21_000 });
});

test('a minute begins with the first message, by the clock of the database, and ends with all of its messages', async () => {
  const { database, add } = await opened();
  const next = async () => (await add[0]?.(new Map([['k', 2]])))?.get('k');
  const first = await next();
  expect(first).toMatchObject({ counted: 2 });
  expect(first?.msBeforeNext).toBeGreaterThan(59_000);
  await database.sql('UPDATE rate_limits SET expire = expire - 30000');
  const second = await next();
  expect(second).toMatchObject({ counted: 4 });
  expect(second?.msBeforeNext).toBeLessThan(30_001);
  await database.sql('UPDATE rate_limits SET expire = expire - 30001');
  expect(await next()).toMatchObject({ counted: 2 });
  // As after a clock that was set back by an hour: nobody waits for the time that it had come to.
  await database.sql('UPDATE rate_limits SET expire = expire + 3600000');
  const anew = await next();
  expect(anew).toMatchObject({ counted: 2 });
  expect(anew?.msBeforeNext).toBeLessThan(60_001);
});
