import { afterEach, describe, expect, test } from 'vitest';
import type { Notifier } from '../../src/core/adapter.ts';
import type { Address } from '../../src/core/message.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { ownAlone } from '../../src/core/owned.ts';
import { HOUR } from '../../src/domain/clock.ts';
import { outbox } from '../../src/domain/records.ts';
import { OutboxWorker } from '../../src/worker/outbox.ts';
import { rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { now, silent, soon } from './support.ts';

const post = (host: number | string, path = ''): Address => ({
  channel: 'webhook',
  to: `https://h${host}.example.test/${path}`,
});

let h: Harness;
let worker: OutboxWorker;
afterEach(async () => {
  await worker.stop(now());
  await h.close();
});

async function start(notifier: Notifier): Promise<void> {
  const { store, clock } = h;
  worker = new OutboxWorker({
    store,
    workspace: 'main',
    own: ownAlone,
    clock,
    log: silent,
    notifiers: new Map([['webhook', notifier]]),
    random: () => 1,
  });
  await worker.start();
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
    let going = 0;
    let most = 0;
    await start({
      async send({ to }, { key }) {
        if (to.includes('//ha.')) most = Math.max(most, (going += 1));
        await new Promise(setImmediate);
        if (to.includes('//ha.')) going -= 1;
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
    const full = Promise.withResolvers<void>();
    let going = 0;
    let most = 0;
    let sent = 0;
    await start({
      async send() {
        most = Math.max(most, (going += 1));
        if (going === 50) full.resolve();
        await full.promise;
        // What is due meanwhile is looked for while all fifty are still on their way.
        await queue(`late${sent}`, post(`late${sent}`));
        going -= 1;
        sent += 1;
        return { externalId: 'x' };
      },
    });
    await soon(() => expect(sent).toBeGreaterThan(120), 15_000);
    expect(most).toBe(50);
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
    await start({ send: async () => ({ externalId: 'x' }) });
    await soon(() => expect(reads).toBeGreaterThan(0));
    await worker.stop(now());
    expect(reads).toBeLessThan(5);
  });
});

/** Calls back with each look for rows. */
function counting(store: Harness['store'], count: () => void): Harness['store'] {
  const through = <T extends object>(target: T, name: string, wrap: (value: never) => unknown): T =>
    new Proxy(target, {
      get(_, asked) {
        const value = Reflect.get(target, asked, target) as unknown;
        if (asked === name) return wrap(value as never);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  return through(store, 'read', (read: Harness['store']['read']) => {
    const counted: Harness['store']['read'] = (workspace, work) =>
      read.call(store, workspace, (tx) =>
        work(
          through(tx, 'find', (find: typeof tx.find) => {
            count();
            return find.bind(tx);
          }),
        ),
      ) as never;
    return counted;
  });
}
