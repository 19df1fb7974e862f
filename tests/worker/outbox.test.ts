import { beforeEach, describe, expect, test } from 'vitest';
import type { Notifier, Outbound } from '../../src/core/adapter.ts';
import { holdLease } from '../../src/core/leases.ts';
import type { Address } from '../../src/core/message.ts';
import { createOwn, type Own } from '../../src/core/owned.ts';
import { enqueue, revise } from '../../src/core/outgoing.ts';
import { DAY, HOUR, SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { outbox } from '../../src/domain/records.ts';
import { outboxLease, settleUnheard } from '../../src/worker/outbox.ts';
import type { Harness } from '../support/harness.ts';
import { events, rows } from '../core/support.ts';
import { TO, useOutbox } from './outbox-support.ts';
import { flaky, now, silent, soon } from './support.ts';

const { harness, stored, queue, start, expectState } = useOutbox();
let h: Harness;
beforeEach(() => {
  h = harness();
});

/** A far side that keeps what it accepted and fails as it is told. */
function farSide() {
  const sent: (Outbound & { to: string; at: number })[] = [];
  const failures: (Error | Promise<void>)[] = [];
  const notifier: Notifier = {
    async send(to, message) {
      const failure = failures.shift();
      if (failure instanceof Error) throw failure;
      await failure;
      sent.push({ ...message, to: to.to, at: performance.now() });
      return { externalId: `x${sent.length}` };
    },
  };
  return { sent, failures, notifier, keys: () => sent.map((m) => m.key) };
}

/** As a process of its own. */
const by = (owner: string): Own =>
  createOwn({ store: h.store, workspace: 'main', owner, log: silent, ttl: 200 });

describe('a message', () => {
  test('goes out with its key, once, and is cleared when it was accepted', async () => {
    const far = farSide();
    const results: string[] = [];
    start(far.notifier, { delivered: (channel, result) => results.push(`${channel} ${result}`) });
    expect(await queue('k1', TO, 'hello')).toBe(true);
    await expectState('k1', 'sent');
    expect(await queue('k1', TO, 'hello')).toBe(false);
    expect(far.sent).toMatchObject([{ key: 'k1', to: 'a', reply: { text: 'hello' } }]);
    expect(await stored('k1')).toMatchObject({ externalId: 'x1', reply: {}, error: null });
    expect(results).toEqual(['terminal sent']);
  });

  test('carries what it replaces', async () => {
    const far = farSide();
    start(far.notifier);
    await h.store.transaction('main', (tx) =>
      enqueue(tx, { key: 'k1', address: TO, reply: { text: 'new' }, place: { replaces: 'x0' } }),
    );
    await expectState('k1', 'sent');
    expect(far.sent[0]).toMatchObject({ replaces: 'x0' });
  });

  test('of a channel that is off stays queued', async () => {
    const far = farSide();
    start(far.notifier);
    await queue('mail', { channel: 'email', to: 'a@example.test' });
    await queue('k1');
    await expectState('k1', 'sent');
    expect((await stored('mail')).state).toBe('queued');
  });
});

describe('a lane', () => {
  test('keeps its order, one after another, whatever other lanes do', async () => {
    const far = farSide();
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    for (let n = 0; n < 5; n += 1) await queue(`a${n}`);
    start(far.notifier);
    for (let n = 0; n < 3; n += 1) await queue(`b${n}`, { channel: 'terminal', to: 'b' });
    await expectState('b2', 'sent');
    expect(far.keys()).toEqual(['b0', 'b1', 'b2']);
    gate.resolve();
    await expectState('a4', 'sent');
    expect(far.keys().slice(3)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
  });

  test('waits for its first message’s next try, to keep the order', async () => {
    const far = farSide();
    far.failures.push(new Error('connection reset'));
    await queue('first');
    await queue('second');
    const worker = start(far.notifier);
    await soon(async () => expect((await stored('first')).attempts).toBe(1));
    expect(await stored('first')).toMatchObject({
      state: 'queued',
      error: 'connection reset',
      nextAt: new Date(h.clock.now().getTime() + 2 * SECOND),
    });
    worker.wake();
    expect(far.keys()).toEqual([]);
    h.clock.pass(2 * SECOND);
    worker.wake();
    await expectState('second', 'sent');
    expect(far.keys()).toEqual(['first', 'second']);
  });

  test('that is stuck, however much waits in it, holds up no other', async () => {
    const far = farSide();
    far.failures.push(new Error('away'));
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 700; n += 1) await enqueue(tx, { key: `a${n}`, address: TO, reply: { text: 'x' } });
    });
    const worker = start(far.notifier);
    await soon(async () => expect((await stored('a0')).attempts).toBe(1));
    await queue('b', { channel: 'terminal', to: 'b' });
    worker.wake();
    await expectState('b', 'sent');
    expect(far.keys()).toEqual(['b']);
  });

  test('of Slack goes at Slack’s pace', async () => {
    const far = farSide();
    const C1: Address = { channel: 'slack', to: 'C1' };
    await queue('s1', C1);
    await queue('s2', C1);
    await queue('s3', { channel: 'slack', to: 'C2' });
    start(far.notifier);
    await expectState('s2', 'sent');
    expect(far.keys()).toEqual(['s1', 's3', 's2']);
    const at = (key: string) => far.sent.find((m) => m.key === key)?.at ?? 0;
    expect(at('s2') - at('s1')).toBeGreaterThan(1_000);
    expect(at('s3') - at('s1')).toBeLessThan(900);
  });
});

describe('a message that is changed', () => {
  const SLACK: Address = { channel: 'slack', to: 'C1' };
  const change = (key: string, text: string) =>
    h.store.transaction('main', async (tx) => {
      const row = await tx.get(outbox, { key });
      return row !== undefined && revise(tx, row, { text });
    });
  const texts = (sent: readonly Outbound[]) => sent.map(({ reply, replaces }) => [reply.text, replaces]);

  test('while it waits is sent once, as it says last', async () => {
    await queue('k', SLACK, 'one');
    expect(await change('k', 'two')).toBe(true);
    const far = farSide();
    start(far.notifier);
    await soon(() => expect(texts(far.sent)).toEqual([['two', undefined]]));
  });

  test('after it was sent is changed where it stands', async () => {
    const far = farSide();
    await queue('k', SLACK, 'one');
    start(far.notifier);
    await soon(async () => expect(await rows(h, outbox, { where: { state: 'sent' } })).toHaveLength(1));
    expect(await change('k', 'two')).toBe(true);
    await soon(() => expect(texts(far.sent)[1]).toEqual(['two', 'x1']));
  });

  test('while it is on its way is changed right after', async () => {
    const far = farSide();
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    await queue('k', TO, 'one');
    start(far.notifier);
    await soon(() => expect(far.failures).toEqual([]));
    expect(await change('k', 'two')).toBe(true);
    gate.resolve();
    await soon(() =>
      expect(texts(far.sent)).toEqual([
        ['one', undefined],
        ['two', 'x1'],
      ]),
    );
  });

  test.each(['email', 'terminal'] as const)('is not, once it is out on %s', async (channel) => {
    await queue('k', { channel, to: 'a' });
    const [row] = await rows(h, outbox);
    if (!row) throw new Error('no message');
    await h.store.transaction('main', (tx) =>
      tx.update(outbox, row, { state: 'sent', externalId: 'x', reply: {} }),
    );
    expect(await change('k', 'two')).toBe(false);
    expect(await change('other', 'two')).toBe(false);
  });
});

describe('a message that may have been accepted before', () => {
  test('says since when: after a failure, and where another process had the channel', async () => {
    const far = farSide();
    far.failures.push(new Error('the line broke'));
    await queue('k');
    const since = h.clock.now();
    h.clock.pass(SECOND);
    start(far.notifier);
    await soon(async () => expect((await rows(h, outbox))[0]?.attempts).toBe(1));
    await queue('new');
    h.clock.pass(HOUR);
    await soon(() => expect(far.keys()).toContain('k'));
    expect(far.sent.find(({ key }) => key === 'k')?.triedSince).toEqual(since);
    await queue('newer');
    await soon(() => expect(far.keys()).toContain('newer'));
    expect(far.sent.find(({ key }) => key === 'newer')).not.toHaveProperty('triedSince');
  });
});

describe('a failure', () => {
  test('is met with longer and longer waits, up to four hours', async () => {
    const far = farSide();
    await queue('k1');
    const worker = start(far.notifier);
    await expectState('k1', 'sent');
    const waits: number[] = [];
    await queue('k2');
    for (let n = 1; n <= 15; n += 1) far.failures.push(new Error('away'));
    for (let n = 1; n <= 15; n += 1) {
      worker.wake();
      await soon(async () => expect((await stored('k2')).attempts).toBe(n));
      const wait = (await stored('k2')).nextAt.getTime() - h.clock.now().getTime();
      waits.push(wait);
      h.clock.pass(wait);
    }
    expect(waits.slice(0, 4)).toEqual([2, 4, 8, 16].map((n) => n * SECOND));
    expect(waits.at(-1)).toBe(4 * HOUR);
  });

  test('that says when to come back is believed', async () => {
    const far = farSide();
    far.failures.push(new Refusal('rate_limited', 'Slow down.', { retryAfter: 7_000 }));
    await queue('k1');
    const worker = start(far.notifier);
    await soon(async () => expect((await stored('k1')).attempts).toBe(1));
    expect((await stored('k1')).nextAt.getTime() - h.clock.now().getTime()).toBe(7_000);
    h.clock.pass(7_000);
    worker.wake();
    await expectState('k1', 'sent');
  });

  test('for good ends it, is journalled, and the lane goes on', async () => {
    const far = farSide();
    far.failures.push(new Refusal('not_found', 'channel_not_found'));
    await queue('k1', TO, 'precious');
    await queue('k2');
    start(far.notifier);
    await expectState('k2', 'sent');
    expect(await stored('k1')).toMatchObject({ state: 'dead', error: 'channel_not_found', reply: {} });
    expect((await events(h, /^message\./))[0]).toMatchObject({
      event: 'message.dead',
      actor: 'system',
      target: 'k1',
      details: { channel: 'terminal', lane: 'terminal:a', error: 'channel_not_found' },
    });
  });

  test('for good is told to who asked where the place is gone, and for no other reason', async () => {
    const far = farSide();
    far.failures.push(new Refusal('not_found', 'Slack cannot deliver to C1: not_in_channel.'));
    far.failures.push(new Refusal('invalid_argument', 'msg_too_long'));
    far.failures.push(new Refusal('unauthenticated', 'token_revoked'));
    for (const n of [1, 2, 3])
      await queue(`k${n}`, { channel: 'slack', to: `C${n}`, context: { user: 'U7' } }, 'Done.');
    start(far.notifier);
    for (const n of [1, 2, 3]) await expectState(`k${n}`, 'dead');
    await soon(() => expect(far.sent).toHaveLength(1));
    expect(far.sent[0]).toMatchObject({
      to: 'U7',
      reply: { text: 'I cannot post in that channel (not_in_channel):\nDone.' },
    });
  });

  test('for two days ends it as well', async () => {
    const far = farSide();
    await queue('k1');
    h.clock.pass(2 * DAY + 1);
    far.failures.push(new Error('away'));
    start(far.notifier);
    await expectState('k1', 'dead');
  });

  test('to write that it was sent holds its lane until it is written, and it is sent once', async () => {
    const far = farSide();
    const away = flaky(h.store);
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    await queue('k1');
    await queue('k2');
    start(far.notifier, { store: away.store });
    await soon(() => expect(far.failures).toHaveLength(0));
    away.away = true;
    gate.resolve();
    await soon(() => expect(away.refused).toBeGreaterThan(3));
    expect((await stored('k1')).state).toBe('queued');
    away.away = false;
    await expectState('k2', 'sent');
    expect((await stored('k1')).state).toBe('sent');
    expect(far.keys()).toEqual(['k1', 'k2']);
  });

  test('to write that it was sent ends at the deadline of a stop', async () => {
    const far = farSide();
    const away = flaky(h.store);
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    await queue('k1');
    const worker = start(far.notifier, { store: away.store });
    await soon(() => expect(far.failures).toHaveLength(0));
    away.away = true;
    gate.resolve();
    await soon(() => expect(away.refused).toBeGreaterThan(1));
    await worker.stop(now());
    expect((await stored('k1')).state).toBe('queued');
  });

  test('to write that it failed changes nothing where another has sent it meanwhile', async () => {
    const far = farSide();
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    await queue('k1');
    start(far.notifier);
    await soon(() => expect(far.failures).toHaveLength(0));
    const row = await stored('k1');
    await h.store.transaction('main', (tx) => tx.update(outbox, row, { state: 'sent', externalId: 'y1' }));
    gate.reject(new Error('away'));
    await queue('k2');
    await expectState('k2', 'sent');
    expect(await stored('k1')).toMatchObject({ state: 'sent', externalId: 'y1', attempts: 0 });
  });
});

describe('what was withdrawn', () => {
  const withdraw = async (key: string, reply: object) => {
    const row = await stored(key);
    await h.store.transaction('main', (tx) => tx.update(outbox, row, { state: 'withdrawn', reply }));
  };

  test('is not sent', async () => {
    const far = farSide();
    await queue('k1');
    await withdraw('k1', { reply: { text: 'over' } });
    start(far.notifier);
    await queue('k2');
    await expectState('k2', 'sent');
    expect(far.keys()).toEqual(['k2']);
  });

  test('while it was on its way is replaced at once', async () => {
    const far = farSide();
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    await queue('k1', TO, 'Approve?');
    start(far.notifier);
    await soon(() => expect(far.failures).toHaveLength(0));
    await withdraw('k1', { reply: { text: 'APR-1 denied.' } });
    gate.resolve();
    await soon(() => expect(far.keys()).toEqual(['k1', 'k1:settled']));
    expect(far.sent[1]).toMatchObject({ replaces: 'x1', reply: { text: 'APR-1 denied.' } });
    expect((await stored('k1')).state).toBe('withdrawn');
  });

  test('and was not accepted is not tried again, nor told as lost', async () => {
    const far = farSide();
    const gate = Promise.withResolvers<void>();
    far.failures.push(gate.promise);
    await queue('k1');
    start(far.notifier);
    await soon(() => expect(far.failures).toHaveLength(0));
    await withdraw('k1', {});
    gate.reject(new Refusal('not_found', 'gone'));
    await queue('k2');
    await expectState('k2', 'sent');
    expect((await stored('k1')).state).toBe('withdrawn');
    expect(await events(h, /^message\./)).toEqual([]);
  });
});

describe('of several processes', () => {
  test('one that was killed is followed when its lease is over, for its own channels alone', async () => {
    const far = farSide();
    const kill = (channel: string) =>
      h.store.transaction('main', (tx) => holdLease(tx, outboxLease(channel), 'killed', 10 * SECOND));
    await kill('terminal');
    start(far.notifier, { own: by('w1') });
    await queue('k1');
    await queue('k2', { channel: 'slack', to: 'C1' });
    await expectState('k2', 'sent');
    expect((await stored('k1')).state).toBe('queued');
    h.clock.pass(10 * SECOND);
    await expectState('k1', 'sent');
    expect(far.keys()).toEqual(['k2', 'k1']);
  });

  test('one delivers, and another takes over when it is gone', async () => {
    const one = farSide();
    const two = farSide();
    const first = start(one.notifier, { own: by('w1') });
    await queue('k1');
    await expectState('k1', 'sent');
    start(two.notifier, { own: by('w2') });
    for (let n = 2; n < 6; n += 1) await queue(`k${n}`);
    await expectState('k5', 'sent');
    expect(two.keys()).toEqual([]);
    await first.stop(now());
    await queue('k6');
    await expectState('k6', 'sent');
    expect(two.keys()).toEqual(['k6']);
  });
});

test('a message that waited for its turn is not sent by who lost the channel meanwhile', async () => {
  const far = farSide();
  await queue('k1');
  let looks = 0;
  // Held while it is looked for what is due, and no more when it is its turn.
  const own: Own = () => ({
    get held() {
      looks += 1;
      return looks < 2;
    },
    taken: false,
    start: async () => undefined,
    stop: async () => undefined,
  });
  const worker = start(far.notifier, { own });
  worker.wake();
  await soon(() => expect(looks).toBeGreaterThan(2));
  await worker.stop(now());
  expect(far.keys()).toEqual([]);
  expect((await stored('k1')).state).toBe('queued');
});

test('what is to be told at a prompt is kept while somebody sits at one', async () => {
  const settle = () => h.store.transaction('main', (tx) => settleUnheard(tx, 10));
  await queue('k1');
  await queue('k2', { channel: 'slack', to: 'C1' });
  await h.store.transaction('main', (tx) => holdLease(tx, outboxLease('terminal'), 'w', SECOND));
  await settle();
  expect((await stored('k1')).state).toBe('queued');
  h.clock.pass(SECOND);
  await settle();
  expect([(await stored('k1')).state, (await stored('k2')).state]).toEqual(['sent', 'queued']);
});

test('a stop lets what is under way end and starts nothing more', async () => {
  const far = farSide();
  const gate = Promise.withResolvers<void>();
  far.failures.push(gate.promise);
  await queue('k1');
  await queue('k2');
  const worker = start(far.notifier);
  await soon(() => expect(far.failures).toHaveLength(0));
  const stopped = worker.stop(now());
  gate.resolve();
  await stopped;
  expect([(await stored('k1')).state, (await stored('k2')).state]).toEqual(['sent', 'queued']);
});
