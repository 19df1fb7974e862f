import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Registry } from 'prom-client';
import type { ChannelState } from '../../src/channels.ts';
import type { Address } from '../../src/core/message.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { outbox } from '../../src/domain/records.ts';
import { Metrics } from '../../src/metrics.ts';
import { addOutgoingMetrics } from '../../src/outgoing-metrics.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { flaky } from '../worker/support.ts';

const linesOf = async (registry: Registry, name: RegExp) =>
  (await registry.metrics()).split('\n').filter((line) => name.test(line));

describe.each(DATABASES)('outgoing messages on %s', (_name, open) => {
  let h: Harness;
  beforeEach(async () => {
    h = await open();
  });
  afterEach(async () => {
    await h.close();
  });

  test('are shown by channel and state, and none while the database is away', async () => {
    const give = (key: string, address: Address, dead = false) =>
      h.store.transaction('main', async (tx) => {
        await enqueue(tx, { key, address, reply: { text: key } });
        const row = await tx.get(outbox, { key });
        if (row && dead) await tx.update(outbox, row, { state: 'dead' });
      });
    await give('k1', { channel: 'slack', to: 'C1' });
    await give('k2', { channel: 'slack', to: 'C1' }, true);
    await give('k3', { channel: 'slack', to: 'C2' }, true);
    await give('k4', { channel: 'email', to: 'a@example.test' });
    const away = flaky(h.store);
    const shown = async () => {
      const registry = new Registry();
      addOutgoingMetrics(registry, away.store, 'main');
      return linesOf(registry, /^signalbox_outgoing_messages\{/);
    };
    expect(await shown()).toEqual([
      'signalbox_outgoing_messages{channel="slack",state="queued"} 1',
      'signalbox_outgoing_messages{channel="slack",state="dead"} 2',
      'signalbox_outgoing_messages{channel="email",state="queued"} 1',
      'signalbox_outgoing_messages{channel="email",state="dead"} 0',
    ]);
    away.away = true;
    expect(await shown()).toEqual([]);
  });
});

test('each channel that is not off shows its state; one that went off is gone', async () => {
  const states: ChannelState[] = [
    { name: 'rest', health: { state: 'on' } },
    { name: 'slack', health: { state: 'deaf', reason: 'the socket is gone' } },
    { name: 'email', health: { state: 'standby', reason: 'another process listens' } },
  ];
  const { registry } = new Metrics(() => states);
  const shown = () => linesOf(registry, /^signalbox_channel_\w+\{.* [01]$/);
  expect(await shown()).toEqual([
    'signalbox_channel_up{channel="rest"} 1',
    'signalbox_channel_up{channel="slack"} 0',
    'signalbox_channel_up{channel="email"} 1',
    ...['on', 'standby', 'deaf'].map(
      (state) => `signalbox_channel_state{channel="rest",state="${state}"} ${state === 'on' ? 1 : 0}`,
    ),
    ...['on', 'standby', 'deaf'].map(
      (state) => `signalbox_channel_state{channel="slack",state="${state}"} ${state === 'deaf' ? 1 : 0}`,
    ),
    ...['on', 'standby', 'deaf'].map(
      (state) => `signalbox_channel_state{channel="email",state="${state}"} ${state === 'standby' ? 1 : 0}`,
    ),
  ]);
  states.pop();
  expect((await shown()).some((line) => line.includes('email'))).toBe(false);
});
