import { afterEach, beforeEach, expect, test } from 'vitest';
import { jobs } from '../../../src/domain/job.ts';
import { tasks } from '../../../src/domain/task.ts';
import { openPostgres, type PostgresStore } from '../../../src/store/postgres/store.ts';
import { event, newTask } from '../../contract/store.ts';
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

test('NUL, which PostgreSQL keeps nowhere, is refused in words, and leaves the others of the group alone', async () => {
  const bad = 'a\u0000b';
  const results = await Promise.allSettled([
    store.transaction('w', (tx) => tx.insert(tasks, newTask('a'))),
    store.transaction('w', (tx) => tx.insert(tasks, newTask('b', { title: bad }))),
    store.transaction('w', (tx) => tx.append({ ...event('x'), target: bad })),
    store.transaction('w', (tx) => tx.get(tasks, { title: bad })),
    store.transaction('w', (tx) => tx.find(jobs, { where: { ref: { in: ['x', bad] } } })),
    store.transaction('w', (tx) => tx.insert(tasks, newTask('c'))),
  ]);
  for (const result of results.slice(1, 5))
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { code: 'invalid_argument', message: expect.stringContaining('NUL') },
    });
  const kept = await store.read('w', (tx) => tx.find(tasks, { orderBy: [{ column: 'id' }] }));
  expect(kept.map(({ id }) => id)).toEqual(['a', 'c']);
});

test('inside JSON it is text like any other', async () => {
  const details = { note: 'a\u0000b' };
  await store.transaction('w', (tx) => tx.append(event('x', details)));
  expect(await store.history('w', 0, 1)).toMatchObject([{ details }]);
});

test('options of the address are kept, and cannot change the role', async () => {
  const url = `${database.url}?options=${encodeURIComponent('-c role=postgres -c work_mem=5MB')}`;
  const other = await openPostgres({ url });
  expect(await other.transaction('w', (tx) => tx.count(tasks))).toBe(0);
  await other.close();
});
