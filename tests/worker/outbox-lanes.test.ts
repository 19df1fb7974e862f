import { afterEach, describe, expect, test } from 'vitest';
import type { Notifier } from '../../src/core/adapter.ts';
import type { Address } from '../../src/core/message.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { HOUR } from '../../src/domain/clock.ts';
import { outbox } from '../../src/domain/records.ts';
import { OutboxWorker } from '../../src/worker/outbox.ts';
import { rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { silent, soon } from './support.ts';

const post = (host: number | string, path = ''): Address => ({
  channel: 'webhook',
  to: `https://h${host}.example.test/${path}`,
});

let h: Harness;
let worker: OutboxWorker;
afterEach(async () => {
  await worker.stop();
  await h.close();
});

function start(notifier: Notifier): void {
  const { store, clock } = h;
  worker = new OutboxWorker({
    store,
    workspace: 'main',
    owner: 'w1',
    clock,
    log: silent,
    notifiers: new Map([['webhook', notifier]]),
    random: () => 1,
  });
  worker.start();
}
const queue = (key: string, address: Address) =>
  h.store.transaction('main', (tx) => enqueue(tx, { key, address, reply: { text: key } }));
const stateOf = async (key: string) => (await rows(h, outbox, { where: { key } }))[0]?.state;

describe.each(DATABASES)('posts on %s', (_name, open) => {
  test('go to one host one after another; what it does not take holds up no other', async () => {
    h = await open();
    for (const key of ['a1', 'a2', 'a3']) await queue(key, post('a', key));
    await queue('b1', post('b'));
    const sent: string[] = [];
    let open_ = 0;
    let most = 0;
    start({
      async send({ to }, { key }) {
        if (to.includes('//ha.')) most = Math.max(most, (open_ += 1));
        await new Promise(setImmediate);
        if (to.includes('//ha.')) open_ -= 1;
        if (key === 'a1' && !sent.includes('a3')) throw new Error('The receiver answered 500.');
        sent.push(key);
        return { externalId: key };
      },
    });
    await soon(() => expect(sent.toSorted()).toEqual(['a2', 'a3', 'b1']));
    expect(await stateOf('a1')).toBe('queued');
    h.clock.pass(HOUR);
    worker.wake();
    await soon(async () => expect(await stateOf('a1')).toBe('sent'));
    expect(most).toBe(1);
  });

  test('are fifty at once at most, however many hosts they go to, and all go out', async () => {
    h = await open();
    const hosts = Array.from({ length: 120 }, (_, n) => n);
    await h.store.transaction('main', async (tx) => {
      for (const n of hosts) await enqueue(tx, { key: `k${n}`, address: post(n), reply: { text: 'x' } });
    });
    const going: (() => void)[] = [];
    let sent = 0;
    start({
      async send() {
        await new Promise<void>((resolve) => going.push(resolve));
        sent += 1;
        return { externalId: 'x' };
      },
    });
    await soon(() => expect(going).toHaveLength(50));
    worker.wake();
    await queue('late', post('late'));
    await expect(soon(() => expect(going.length).toBeGreaterThan(50), 100)).rejects.toThrow();
    const end = setInterval(() => going.splice(0).forEach((resolve) => resolve()), 1);
    await soon(() => expect(sent).toBe(121), 15_000);
    clearInterval(end);
  });

  test('that all wait cost one look no more than one of them does', async () => {
    h = await open();
    const nextAt = new Date(h.clock.now().getTime() + HOUR);
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 300; n += 1)
        await enqueue(tx, { key: `k${n}`, address: post(n), reply: { text: 'x' } });
      for (const row of await tx.find(outbox)) await tx.update(outbox, row, { nextAt });
    });
    let reads = 0;
    const store = h.store;
    h = { ...h, store: counting(store, () => (reads += 1)) };
    start({ send: async () => ({ externalId: 'x' }) });
    await soon(() => expect(reads).toBeGreaterThan(0));
    await worker.stop();
    expect(reads).toBeLessThan(5);
  });
});

/** Calls back with each query that reads. */
function counting(store: Harness['store'], count: () => void): Harness['store'] {
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (name !== 'read') return typeof value === 'function' ? value.bind(target) : value;
      const read: Harness['store']['read'] = (workspace, work) =>
        target.read(workspace, (tx) =>
          work({
            workspace: tx.workspace,
            now: tx.now,
            get: (table, where) => (count(), tx.get(table, where)),
            find: (table, query) => (count(), tx.find(table, query)),
            count: (table, where) => (count(), tx.count(table, where)),
          }),
        );
      return read;
    },
  });
}
