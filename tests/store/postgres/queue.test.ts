import { afterEach, beforeEach, expect, test } from 'vitest';
import { newId } from '../../../src/core/ids.ts';
import type { Tx } from '../../../src/core/store.ts';
import { openPostgres, type PostgresStore } from '../../../src/store/postgres/store.ts';
import { createDatabase, type TestDatabase } from '../../support/postgres.ts';

let database: TestDatabase;
let store: PostgresStore;
beforeEach(async () => {
  database = await createDatabase();
  store = await openPostgres({ url: database.url });
});
afterEach(async () => {
  await store.close();
  await database.drop();
});

const wanted = { capabilities: ['default'], limit: 9, room: new Map<string, number>() };
const put = (tx: Tx) =>
  tx.queue.put({
    id: newId(),
    runbook: 'x',
    priority: 0,
    capability: 'default',
    runAt: new Date(0),
    plan: null,
  });
const states = async () =>
  (await database.sql<{ state: string }>('SELECT state FROM pgboss.job ORDER BY id')).map(
    ({ state }) => state,
  );

test('claims that end in one transaction are told to pg-boss together; what is undone is not', async () => {
  await store.transaction('main', async (tx) => {
    for (let n = 0; n < 3; n += 1) await put(tx);
  });
  const [first, second, third] = (await store.transaction('main', (tx) => tx.queue.take(wanted))).map(
    ({ ticket }) => ({ ticket, capability: 'default' }),
  );
  if (!first || !second || !third) throw new Error('not taken');
  await store.transaction('main', async (tx) => {
    await tx.queue.complete(first);
    await tx
      .attempt(async () => {
        await tx.queue.complete(second);
        throw new Error('undone');
      })
      .catch(() => undefined);
    await tx.queue.complete(third);
  });
  expect(await states()).toEqual(['completed', 'active', 'completed']);
  const failing = store.transaction('main', async (tx) => {
    await tx.queue.complete(second);
    throw new Error('undone');
  });
  await expect(failing).rejects.toThrow('undone');
  expect(await states()).toEqual(['completed', 'active', 'completed']);
});
