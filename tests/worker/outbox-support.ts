import { afterEach, beforeEach, expect } from 'vitest';
import type { Notifier } from '../../src/core/adapter.ts';
import type { Address } from '../../src/core/message.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { ownAlone } from '../../src/core/owned.ts';
import { outbox } from '../../src/domain/records.ts';
import { OutboxWorker, type OutboxOptions } from '../../src/worker/outbox.ts';
import { rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { now, silent, soon } from './support.ts';

/** The terminal's lanes have no pace of their own, so nothing waits but for what a test tests. */
export const TO: Address = { channel: 'terminal', to: 'a' };

/** An outbox before each test, without a worker; whatever was started is stopped after it. */
export function useOutbox() {
  let h: Harness;
  const workers: OutboxWorker[] = [];
  beforeEach(async () => {
    h = await createHarness();
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.stop(now())));
    await h.close();
  });
  const stored = async (key: string) => {
    const [row] = await rows(h, outbox, { where: { key } });
    if (!row) throw new Error(`no ${key}`);
    return row;
  };
  return {
    harness: () => h,
    stored,
    queue: (key: string, address: Address = TO, text = key) =>
      h.store.transaction('main', (tx) => enqueue(tx, { key, address, reply: { text } })),
    start: (notifier: Notifier, over: Partial<OutboxOptions> = {}): OutboxWorker => {
      const worker = new OutboxWorker({
        store: h.store,
        workspace: 'main',
        own: ownAlone,
        clock: h.clock,
        log: silent,
        notifiers: new Map([
          ['terminal', notifier],
          ['slack', notifier],
        ]),
        random: () => 1,
        ...over,
      });
      workers.push(worker);
      void worker.start();
      return worker;
    },
    expectState: (key: string, state: string) =>
      soon(async () => expect((await stored(key)).state).toBe(state)),
  };
}
