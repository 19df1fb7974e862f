import { beforeEach, describe, expect, test } from 'vitest';
import type { Notifier, Outbound } from '../../src/core/adapter.ts';
import { enqueue, placeOf, revise } from '../../src/core/outgoing.ts';
import { HOUR } from '../../src/domain/clock.ts';
import { outbox } from '../../src/domain/records.ts';
import type { Harness } from '../support/harness.ts';
import { TO, useOutbox } from './outbox-support.ts';
import { soon } from './support.ts';

const { harness, stored, queue, start, expectState } = useOutbox();
let h: Harness;
beforeEach(() => {
  h = harness();
});

/** A far side that keeps what it accepted, each time once what it waits for is there. */
function farSide() {
  const sent: Outbound[] = [];
  const failures: Promise<void>[] = [];
  const notifier: Notifier = {
    async send(_, message) {
      await failures.shift();
      sent.push(message);
      return { externalId: `x${sent.length}` };
    },
  };
  return { sent, failures, notifier };
}

describe('a message that takes the place of one that is still to be sent', () => {
  /** As a job's end does with its news: what was to be sent is withdrawn, and what follows it is queued. */
  const overtake = (key: string) =>
    h.store.transaction('main', async (tx) => {
      const [row] = await tx.find(outbox, { where: { key } });
      if (!row) throw new Error(`no ${key}`);
      const place = placeOf(row);
      await tx.update(outbox, row, { state: 'withdrawn', reply: {} });
      await enqueue(tx, { key: `${key}2`, address: TO, reply: { text: 'then' }, ...(place && { place }) });
    });

  test('is posted where that was not on its way, and replaces it where it was', async () => {
    const far = farSide();
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    await queue('sent');
    start(far.notifier);
    await soon(() => expect(far.failures).toEqual([]));
    await queue('waiting');
    await overtake('sent');
    await overtake('waiting');
    gate.resolve();
    await expectState('waiting2', 'sent');
    expect(far.sent.map(({ key, replaces }) => [key, replaces])).toEqual([
      ['sent', undefined],
      ['sent2', 'x1'],
      ['waiting2', undefined],
    ]);
  });
});

describe('a far side that bounds how much it takes', () => {
  /** One that takes a message when it is told to. */
  function bounded() {
    const far = farSide();
    const turns: { to: string; replaces: string | undefined; take: () => void }[] = [];
    const { notifier } = far;
    const turn: Notifier['turn'] = ({ to }, { replaces }, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('stopped')));
        turns.push({ to, replaces, take: () => resolve(notifier.send) });
      });
    return { ...far, turns, notifier: { ...notifier, turn } };
  }

  test('gets the newest of a message that waited', async () => {
    const far = bounded();
    await queue('k', TO, 'one');
    start(far.notifier);
    await soon(() => expect(far.turns).toHaveLength(1));
    await h.store.transaction('main', async (tx) => {
      const [row] = await tx.find(outbox);
      if (row) await revise(tx, row, { text: 'two' });
    });
    far.turns[0]?.take();
    await expectState('k', 'sent');
    expect(far.sent.map(({ reply }) => reply.text)).toEqual(['two']);
  });

  test('holds up no lane with those that wait', async () => {
    const far = bounded();
    for (let n = 0; n < 120; n += 1) await queue(`k${n}`, { channel: 'terminal', to: `lane ${n}` });
    start(far.notifier);
    await soon(() => expect(far.turns).toHaveLength(120));
  });

  test('leaves what waits at the stop to the next start', async () => {
    const far = bounded();
    await queue('k');
    const worker = start(far.notifier);
    await soon(() => expect(far.turns).toHaveLength(1));
    await worker.stop(new AbortController().signal);
    expect(await stored('k')).toMatchObject({ state: 'queued', attempts: 0 });
  });
});

describe('a message', () => {
  test('that was queued by a clock ahead of ours may have been accepted before, where it is the first of its lane', async () => {
    const far = farSide();
    h.clock.pass(HOUR);
    await queue('first');
    await queue('second');
    h.clock.pass(-HOUR);
    start(far.notifier);
    h.clock.pass(HOUR);
    await expectState('second', 'sent');
    expect(far.sent[0]).toHaveProperty('triedSince');
    expect(far.sent[1]).not.toHaveProperty('triedSince');
  });
});
