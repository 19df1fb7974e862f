import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Health } from '../../src/core/adapter.ts';
import { holdLease, releaseLease } from '../../src/core/leases.ts';
import type { ChannelName } from '../../src/core/message.ts';
import type { Own } from '../../src/core/owned.ts';
import { watchLease } from '../../src/core/worker-leases.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/domain/clock.ts';
import { outages } from '../../src/domain/outage.ts';
import { principals } from '../../src/domain/principal.ts';
import type { Patch } from '../../src/domain/table.ts';
import { ChannelWatch } from '../../src/worker/channel-watch.ts';
import { events, outgoing, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { flaky, silent } from './support.ts';

let h: Harness;

const GONE = 'the Socket Mode connection is gone; opening another.';
const deaf: Health = { state: 'deaf', reason: GONE };
const on: Health = { state: 'on' };
const standby: Health = { state: 'standby', reason: 'another process listens' };
const off: Health = { state: 'off', reason: 'turn it on' };

/** A process whose channels the test makes deaf; it looks when it is told to. Its lease is kept by `renew`. */
function watcher(owner: string, store = h.store) {
  const health: Partial<Record<ChannelName, Health>> = { slack: on, email: on };
  const state = { held: true };
  const own: Own = () => ({
    get held() {
      return state.held;
    },
    taken: false,
    start: async () => undefined,
    stop: async () => undefined,
  });
  const watch = new ChannelWatch({
    store,
    workspace: 'main',
    own,
    owner,
    log: silent,
    channels: () =>
      Object.entries(health).map(([name, each]) => ({ name: name as ChannelName, health: each })),
    steady: () => h.clock.now().getTime(),
  });
  const name = watchLease(owner);
  return {
    health,
    state,
    watch,
    look: () => watch.look(),
    renew: () => h.store.transaction('main', (tx) => holdLease(tx, name, owner, 30 * DAY)),
    async dies() {
      const lease = await h.store.transaction('main', (tx) => holdLease(tx, name, owner, 30 * DAY));
      if (lease) await h.store.transaction('main', (tx) => releaseLease(tx, lease));
    },
  };
}

type Watcher = ReturnType<typeof watcher>;

async function process(owner: string): Promise<Watcher> {
  const made = watcher(owner);
  await made.renew();
  return made;
}

/** Deaf for a time, with a look before and after it. */
async function fallDeaf(of: Watcher, milliseconds = 30 * SECOND, channel: ChannelName = 'slack') {
  of.health[channel] = deaf;
  await of.look();
  h.clock.pass(milliseconds);
  await of.look();
}

const journalled = async () =>
  (await events(h, /^channel\./)).map(({ event, target, details }) => [event, target, details]);
/** The texts that are told, by `channel:to`. */
const told = async () => {
  const messages = Object.entries(await outgoing(h)).filter(([key]) => key.startsWith('channel:'));
  return messages.map(([key, text]) => [key.split(':').slice(4).join(':'), text]);
};
const DEAF =
  'slack is deaf since 09:00 UTC: the Socket Mode connection is gone; opening another. ' +
  'Commands sent there are not heard.';

describe.each(DATABASES)('on %s', (_name, open) => {
  beforeEach(async () => {
    h = await open();
  });
  afterEach(() => h.close());

  test('a channel that is deaf for 30 s is told once to those who watch, elsewhere, and so is that it hears', async () => {
    const a = await process('a');
    a.health.terminal = on;
    await fallDeaf(a);
    await a.look();
    expect(await told()).toEqual([
      ['email:ana@example.test', DEAF],
      ['terminal:prompt', DEAF],
    ]);
    h.clock.pass(4 * MINUTE - 30 * SECOND);
    a.health.slack = on;
    await a.look();
    await a.look();
    expect((await told()).slice(2)).toEqual([
      ['email:ana@example.test', 'slack hears again after 4 min.'],
      ['terminal:prompt', 'slack hears again after 4 min.'],
    ]);
    expect(await journalled()).toEqual([
      ['channel.deaf', 'slack', { reason: GONE.slice(0, -1), since: '2026-03-02T09:00:00.000Z' }],
      ['channel.hears', 'slack', { seconds: 240 }],
    ]);
    const [first, second] = await events(h, /^channel\./);
    expect(first?.correlationId).toBe(second?.correlationId);
    expect(await rows(h, outages)).toEqual([]);
  });

  test('a channel that flaps, stands by or is off says nothing', async () => {
    const a = await process('a');
    for (const health of [on, standby, off]) {
      await fallDeaf(a, 29 * SECOND);
      a.health.slack = health;
      await a.look();
      h.clock.pass(HOUR);
      await a.look();
    }
    expect([await told(), await journalled()]).toEqual([[], []]);
  });

  test('of several processes the first tells, and ends it; the others say nothing, whatever they hear', async () => {
    const [a, b] = [await process('a'), await process('b')];
    b.health.slack = deaf;
    await b.look();
    await fallDeaf(a);
    await b.look();
    expect(await told()).toHaveLength(1);
    b.health.slack = on;
    await b.look();
    expect(await rows(h, outages)).toMatchObject([{ id: 'slack', reporter: 'a' }]);
    a.health.slack = on;
    await Promise.all([a.look(), b.look()]);
    expect((await journalled()).map(([event]) => event)).toEqual(['channel.deaf', 'channel.hears']);
    expect(await told()).toHaveLength(2);
  });

  test('an outage that the first of several hears the end of is not told again by those that hear a little later', async () => {
    const [a, b] = [await process('a'), await process('b')];
    b.health.slack = deaf;
    await b.look();
    await fallDeaf(a, 2 * MINUTE);
    await b.look();
    a.health.slack = on;
    await a.look();
    for (let n = 0; n < 20; n += 1) {
      await b.look();
      h.clock.pass(3 * SECOND);
    }
    expect((await journalled()).map(([event]) => event)).toEqual(['channel.deaf', 'channel.hears']);
    // One that does not hear after that is deaf by itself.
    h.clock.pass(30 * SECOND);
    await b.look();
    expect((await journalled()).map(([event]) => event)).toHaveLength(3);
  });

  test('two that notice at the same moment tell once', async () => {
    const all = await Promise.all(['a', 'b', 'c'].map(process));
    for (const each of all) {
      each.health.slack = deaf;
      await each.look();
    }
    h.clock.pass(30 * SECOND);
    await Promise.all(all.map(({ look }) => look()));
    await Promise.all(all.map(({ look }) => look()));
    expect(await told()).toHaveLength(1);
    expect(await journalled()).toHaveLength(1);
  });

  test('of one that is gone another carries on where it is deaf as well, and says when it hears', async () => {
    const [a, b] = [await process('a'), await process('b')];
    await fallDeaf(a);
    await a.dies();
    b.health.slack = deaf;
    await b.look();
    expect(await rows(h, outages)).toMatchObject([{ reporter: 'b' }]);
    expect(await told()).toHaveLength(1);
    h.clock.pass(2 * HOUR + 5 * MINUTE);
    b.health.slack = on;
    await b.look();
    expect((await told()).at(-1)).toEqual(['email:ana@example.test', 'slack hears again after 2 h 5 min.']);
  });

  test('of one that is gone another ends it where it hears, and none that stands by', async () => {
    const [a, b, c] = [await process('a'), await process('b'), await process('c')];
    await fallDeaf(a);
    await a.dies();
    b.health.slack = standby;
    await b.look();
    expect(await rows(h, outages)).toHaveLength(1);
    await c.look();
    expect((await journalled()).map(([event]) => event)).toEqual(['channel.deaf', 'channel.hears']);
  });

  test('one that stands by from now on leaves it to whoever listens', async () => {
    const [a, b] = [await process('a'), await process('b')];
    await fallDeaf(a);
    a.health.slack = standby;
    await a.look();
    expect(await rows(h, outages)).toMatchObject([{ reporter: null }]);
    expect(await journalled()).toHaveLength(1);
    await b.look();
    expect(await rows(h, outages)).toEqual([]);
  });

  test('nobody is told who may not watch, is disabled, or is only on what is deaf', async () => {
    await h.run('ana', 'role add watcher channel:watch');
    const change = (name: string, patch: Patch<typeof principals>) =>
      h.store.transaction('main', async (tx) => {
        const row = await tx.get(principals, { name });
        if (row) await tx.update(principals, row, patch);
      });
    await change('cho', { roles: ['watcher'] });
    await change('vic', { roles: ['watcher'], disabled: true });
    const a = await process('a');
    await fallDeaf(a);
    expect(new Set((await told()).map(([to]) => to))).toEqual(
      new Set(['email:ana@example.test', 'email:cho@example.test']),
    );
    await change('cho', { roles: [] });
    a.health.slack = on;
    await a.look();
    expect((await told()).map(([to]) => to).filter((to) => to === 'email:cho@example.test')).toHaveLength(1);
    await fallDeaf(a, MINUTE, 'email');
    expect((await told()).at(-1)?.[0]).toBe('slack:UANA');
  });

  test('a reason is told without secrets and in bounds', async () => {
    const a = await process('a');
    const secret = ['xox', 'b-1234567890-fake', 'fake'.repeat(6)].join('');
    a.health.slack = { state: 'deaf', reason: `${secret} ${'x'.repeat(5_000)}` };
    await a.look();
    h.clock.pass(30 * SECOND);
    await a.look();
    const [[, text = ''] = []] = await told();
    expect(text).not.toContain(secret);
    expect(text.length).toBeLessThan(500);
  });

  test('a stop reports nothing, and the next start ends what was open', async () => {
    const a = await process('a');
    await fallDeaf(a);
    await a.watch.stop();
    await a.dies();
    expect(await journalled()).toHaveLength(1);
    const next = await process('next');
    await next.look();
    expect((await journalled()).at(-1)).toEqual(['channel.hears', 'slack', { seconds: 30 }]);
  });
});

describe('a watch', () => {
  beforeEach(async () => {
    h = await DATABASES[0][1]();
  });
  afterEach(() => h.close());

  test('that lost its lease reports nothing', async () => {
    const a = await process('a');
    a.state.held = false;
    await fallDeaf(a, HOUR);
    expect(await journalled()).toEqual([]);
  });

  test('counts anew after the database was away, and never rejects', async () => {
    const away = flaky(h.store);
    const warn = vi.spyOn(silent, 'warn');
    const a = watcher('a', away.store);
    await a.renew();
    await fallDeaf(a, 20 * SECOND);
    away.away = true;
    await a.look();
    expect(warn).toHaveBeenCalledTimes(1);
    away.away = false;
    h.clock.pass(20 * SECOND);
    await a.look();
    expect(await journalled()).toEqual([]);
    h.clock.pass(30 * SECOND);
    await a.look();
    expect(await journalled()).toHaveLength(1);
  });
});
