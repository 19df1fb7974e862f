import { expect, onTestFinished, test } from 'vitest';
import { Rates } from '../../../adapters/slack/rates.ts';
import type { Notifier } from '../../../src/core/adapter.ts';
import { enqueue, revise } from '../../../src/core/outgoing.ts';
import { ownAlone } from '../../../src/core/owned.ts';
import { outbox } from '../../../src/domain/records.ts';
import { OutboxWorker } from '../../../src/worker/outbox.ts';
import { rows } from '../../core/support.ts';
import { createHarness } from '../../support/harness.ts';
import { now, silent } from '../../worker/support.ts';
import { prepare } from './support.ts';

/** How many times faster than in life everything goes here. */
const SPEED = 60;
const CHANNELS = Array.from({ length: 20 }, (_, n) => ({ id: `C0RATES${String(n).padStart(2, '0')}` }));

/** A clock that runs fast. */
function fastClock() {
  const began = Date.now();
  const since = performance.now();
  return { now: () => new Date(began + (performance.now() - since) * SPEED) };
}

/** An outbox that delivers to a Slack which refuses what comes faster than it documents. */
async function start() {
  const h = await createHarness();
  const { slack, adapter } = await prepare(
    'http',
    { speed: SPEED },
    { rates: true, clock: fastClock(), channels: CHANNELS },
  );
  const worker = new OutboxWorker({
    store: h.store,
    workspace: 'main',
    own: ownAlone,
    clock: h.clock,
    log: silent,
    notifiers: new Map([['slack', adapter.notifier as Notifier]]),
    random: () => 1,
  });
  onTestFinished(async () => {
    await worker.stop(now());
    await h.close();
  });
  await worker.start();
  const sent = () => rows(h, outbox, { where: { state: 'sent' }, limit: 1_000 });
  const post = () =>
    h.store.transaction('main', async (tx) => {
      for (const { id: to } of CHANNELS)
        await enqueue(tx, { key: to, address: { channel: 'slack', to }, reply: { text: 'one' } });
    });
  /** Messages that stand in Slack already, ten in each channel. */
  const posted = async () => {
    const notifier = adapter.notifier as Notifier;
    const reply = { text: 'one' };
    for (let n = 0; n < 200; n += 1) {
      const to = CHANNELS[n % CHANNELS.length]?.id ?? '';
      const key = `k${n}`;
      const { externalId } = await notifier.send({ channel: 'slack', to }, { key, reply });
      await h.store.transaction('main', async (tx) => {
        await enqueue(tx, { key, address: { channel: 'slack', to }, reply });
        const row = await tx.get(outbox, { key });
        if (row) await tx.update(outbox, row, { state: 'sent', externalId, reply: {} });
      });
    }
  };
  const change = (text: string) =>
    h.store.transaction('main', async (tx) => {
      for (const row of await tx.find(outbox, { limit: 1_000 })) await revise(tx, row, { text });
    });
  return { slack, sent, post, posted, change };
}

test('200 changes at once in 20 channels are all made, none of them faster than Slack takes it', async () => {
  const { slack, sent, posted, change } = await start();
  await posted();
  await change('two');
  await change('three');
  await expect.poll(sent, { timeout: 60_000 }).toHaveLength(200);
  expect(slack.rateLimited).toEqual([]);
  expect(slack.messages).toHaveLength(200);
  expect(new Set(slack.messages.map(({ text }) => text))).toEqual(new Set(['three']));
  expect(slack.updates.filter(({ text }) => text === 'three')).toHaveLength(200);
}, 90_000);

test('a channel that Slack asks to wait with holds up no other', async () => {
  const { slack, sent, post } = await start();
  slack.failNext('chat.postMessage', { status: 429, retryAfter: 3_600 });
  await post();
  await expect.poll(sent, { timeout: 10_000 }).toHaveLength(19);
});

test('whoever gave up waiting takes no turn from those who come later', async () => {
  const rates = new Rates(SPEED);
  const gone = new AbortController();
  const turn = (signal: AbortSignal) => rates.turn('views.open', undefined, signal);
  const first = new AbortController().signal;
  await Promise.all(Array.from({ length: 19 }, () => turn(first)));
  const waiting = Array.from({ length: 300 }, () => turn(gone.signal));
  // All of them stand in the queue by then.
  await new Promise(setImmediate);
  gone.abort(new Error('gone'));
  expect(new Set((await Promise.allSettled(waiting)).map(({ status }) => status))).toEqual(
    new Set(['rejected']),
  );

  // At twelve in a quarter of a second those 300 would take six seconds.
  await Promise.all(Array.from({ length: 10 }, () => turn(AbortSignal.timeout(5_000))));
});
