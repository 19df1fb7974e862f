import { expect, onTestFinished, test, vi } from 'vitest';
import { tasks } from '../../../src/domain/task.ts';
import { openPostgres } from '../../../src/store/postgres/store.ts';
import { event, newTask } from '../../contract/store.ts';
import { createDatabase } from '../../support/postgres.ts';
import { startProxy } from '../../support/proxy.ts';

// A database that neither answers nor says that it is gone: its machine was switched off, or a network was cut.

/** A store whose way to the database can fall silent, and another one that goes there directly. */
async function parted() {
  const database = await createDatabase();
  const proxy = await startProxy(database.url);
  const store = await openPostgres({ url: proxy.url, lockTimeout: 500 });
  const other = await openPostgres({ url: database.url });
  onTestFinished(async () => {
    await Promise.all([store.close(), other.close()]);
    await proxy.close();
    await database.drop();
  });
  return { store, other, proxy };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

test('whoever asks is refused within seconds, those after it no later, and all goes on afterwards', async () => {
  const { store, proxy } = await parted();
  const add = (id: string) => store.transaction('w', (tx) => tx.insert(tasks, newTask(id)));
  const look = () => store.read('w', (tx) => tx.count(tasks));
  await Promise.all([add('a'), look(), look(), look()]);
  proxy.silence();
  for (const ask of [() => add('b'), () => add('c'), look, look]) {
    const took = await timed(async () => {
      await expect(ask()).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/was lost|does not answer/),
      });
    });
    expect(took).toBeLessThan(4_500);
  }
  proxy.mend();
  await vi.waitFor(() => add('d'), 5_000);
  expect(await look()).toBe(2);
}, 40_000);

test('a store is closed within seconds all the same', async () => {
  const { store, proxy } = await parted();
  // Also the connections of the job engine, and one in the middle of something.
  await store.transaction('w', (tx) => tx.queue.mend());
  await Promise.all([1, 2, 3].map(() => store.read('w', (tx) => tx.count(tasks))));
  proxy.silence();
  const asked = store.transaction('w', (tx) => tx.next('TSK')).catch(() => undefined);
  expect(await timed(() => store.close())).toBeLessThan(8_000);
  await asked;
}, 20_000);

test('a connection that listens and has fallen silent is replaced by another one', async () => {
  const { store, other, proxy } = await parted();
  const heard = new Set<number>();
  store.onCommit(({ entries }) => {
    for (const { seq } of entries) heard.add(seq);
  });
  const append = async () => (await other.transaction('w', (tx) => tx.append(event('task.a')))).seq;
  await vi.waitFor(() => expect(proxy.silence('LISTEN')).toBe(1));
  // Looks that nobody asked for come once a second: to hear of ten in a row at once takes notices.
  const heardAtOnce = async () => {
    for (let n = 0; n < 10; n += 1) {
      const seq = await append();
      await vi.waitFor(() => expect(heard.has(seq)).toBe(true), { timeout: 300, interval: 10 });
      // Not in step with the looks.
      await new Promise((resolve) => setTimeout(resolve, 130));
    }
  };
  await vi.waitFor(heardAtOnce, { timeout: 20_000, interval: 500 });
}, 40_000);

test('a store whose listening connection has fallen silent is closed within seconds', async () => {
  const { store, proxy } = await parted();
  await vi.waitFor(() => expect(proxy.silence('LISTEN')).toBe(1));
  await store.transaction('w', (tx) => tx.append(event('task.a')));
  expect(await timed(() => store.close())).toBeLessThan(8_000);
}, 20_000);
