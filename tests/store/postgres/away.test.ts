import { expect, onTestFinished, test, vi } from 'vitest';
import { tasks } from '../../../src/domain/task.ts';
import { openPostgres, type PostgresStore } from '../../../src/store/postgres/store.ts';
import { event, newTask } from '../../contract/store.ts';
import { createDatabase } from '../../support/postgres.ts';
import { startProxy } from '../../support/proxy.ts';

/** As a statement: whoever begins says READ COMMITTED. */
const COMMIT = 'COMMIT\0';
/** What only connections say that change something; looks end with COMMIT, too. */
const LOCKS = 'FOR UPDATE';

/** A store whose way to the database can be cut, and another one that goes there directly. */
async function parted() {
  const database = await createDatabase();
  const proxy = await startProxy(database.url);
  const store = await openPostgres({ url: proxy.url, lockTimeout: 1_000 });
  const other = await openPostgres({ url: database.url });
  onTestFinished(async () => {
    await Promise.all([store.close(), other.close()]);
    await proxy.close();
    await database.drop();
  });
  return { store, other, proxy, database };
}

const insert = (store: PostgresStore, id: string) =>
  store.transaction('w', async (tx) => {
    await tx.append(event(`task.${id}`));
    return tx.insert(tasks, newTask(id));
  });
const ids = async (store: PostgresStore) =>
  (await store.read('w', (tx) => tx.find(tasks, { orderBy: [{ column: 'id' }] }))).map(({ id }) => id);

test('while the database is away commands are refused at once, and afterwards all goes on without a gap', async () => {
  const { store, other, proxy } = await parted();
  const heard: number[] = [];
  store.onCommit(({ entries }) => heard.push(...entries.map(({ seq }) => seq)));
  await insert(store, 'a');
  proxy.cut();
  const started = performance.now();
  const refused = await Promise.allSettled(['b', 'c'].map((id) => insert(store, id)));
  expect(performance.now() - started).toBeLessThan(4_000);
  for (const { reason } of refused as PromiseRejectedResult[])
    expect(reason).toMatchObject({ code: 'unavailable', retryAfter: expect.any(Number) });
  await expect(store.ping()).rejects.toMatchObject({ code: 'unavailable' });
  await expect(store.history('w', 0, 9)).rejects.toMatchObject({ code: 'unavailable' });
  await insert(other, 'd');
  proxy.mend();
  await insert(store, 'e');
  await vi.waitFor(() => expect(heard).toEqual([1, 2, 3]), { timeout: 5_000 });
  expect(await ids(store)).toEqual(['a', 'd', 'e']);
  // The connection that listens is back, too: no look of its own has to find this.
  await insert(other, 'f');
  await vi.waitFor(() => expect(heard).toEqual([1, 2, 3, 4]), { timeout: 5_000 });
});

test('a command whose connection is lost before the commit is run again, and takes place once', async () => {
  const { store, proxy } = await parted();
  await insert(store, 'a');
  proxy.cutAt(COMMIT, 'before', LOCKS);
  expect(await insert(store, 'b')).toMatchObject({ id: 'b' });
  expect(await ids(store)).toEqual(['a', 'b']);
  expect((await store.history('w', 0, 9)).map(({ event: name }) => name)).toEqual(['task.a', 'task.b']);
});

test('one whose commit took place while its answer was lost is answered, and not run again', async () => {
  const { store, proxy } = await parted();
  await insert(store, 'a');
  const heard: string[] = [];
  store.onCommit(({ entries }) => heard.push(...entries.map(({ event: name }) => name)));
  let runs = 0;
  proxy.cutAt(COMMIT, 'after', LOCKS);
  await store.transaction('w', async (tx) => {
    runs += 1;
    await tx.append(event('task.b'));
    await tx.insert(tasks, newTask('b'));
  });
  expect(runs).toBe(1);
  expect(await ids(store)).toEqual(['a', 'b']);
  expect(heard).toEqual(['task.b']);
});

test('one of whose commit nobody can tell in time is not run again, and that is said', async () => {
  const { store, proxy, database } = await parted();
  await insert(store, 'a');
  let runs = 0;
  proxy.cutAt(COMMIT, 'gone', LOCKS);
  const unknown = store.transaction('w', async (tx) => {
    runs += 1;
    await tx.insert(tasks, newTask('b'));
  });
  await expect(unknown).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('it is not known whether this took place. Repeat it with the same key.'),
  });
  expect(runs).toBe(1);
  expect(await database.sql('SELECT id FROM tasks ORDER BY id')).toEqual([{ id: 'a' }, { id: 'b' }]);
  proxy.mend();
});

test.each(['before', 'after'] as const)(
  'one that runs with care may lose its connection at its savepoint, %s it is set',
  async (when) => {
    const { store, proxy } = await parted();
    await insert(store, 'a');
    proxy.cutAt('SAVEPOINT turn', when);
    // A second row of the same key is what makes it run with care.
    await expect(insert(store, 'a')).rejects.toMatchObject({ code: 'conflict' });
    await insert(store, 'b');
    expect(await ids(store)).toEqual(['a', 'b']);
  },
);

test('connections that the server ends while nobody uses them are made anew unseen', async () => {
  const { store, database } = await parted();
  await insert(store, 'a');
  await database.sql(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  expect(await ids(store)).toEqual(['a']);
  await insert(store, 'b');
  expect(await ids(store)).toEqual(['a', 'b']);
});

test('a workspace that another transaction holds is refused as busy after a while', async () => {
  const database = await createDatabase();
  const [holder, waiter] = [
    await openPostgres({ url: database.url }),
    await openPostgres({ url: database.url, lockTimeout: 500 }),
  ];
  await insert(holder, 'a');
  const { promise: held, resolve: taken } = Promise.withResolvers<void>();
  const blocked = holder.transaction('w', async (tx) => {
    taken();
    // One that asks the database to take its time.
    await (tx as unknown as { change(sql: string): Promise<unknown> }).change('SELECT pg_sleep(2)');
  });
  await held;
  await expect(insert(waiter, 'b')).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('busy'),
  });
  await blocked;
  await insert(waiter, 'c');
  await Promise.all([holder.close(), waiter.close()]);
  await database.drop();
});
