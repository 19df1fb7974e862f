import { Gauge, type Registry } from 'prom-client';
import { OUTGOING } from './core/outgoing.ts';
import { sampled } from './core/sampled.ts';
import type { ReadTx, Store } from './core/store.ts';
import { outbox } from './domain/records.ts';

const STATES = ['queued', 'dead'] as const;

/**
 * Outgoing messages that wait and that were given up, for `/metrics`; counted in the database, so every server of a
 * workspace shows the same.
 */
export function addOutgoingMetrics(registry: Registry, store: Store, workspace: string): void {
  const counts = sampled(() => store.read(workspace, count));
  const messages = new Gauge({
    name: 'signalbox_outgoing_messages',
    help: 'Outgoing messages, by channel: queued, not accepted yet; dead, given up. The same from every server.',
    labelNames: ['channel', 'state'],
    registers: [registry],
    async collect() {
      const counted = await counts();
      messages.reset();
      for (const { channel, state, n } of counted ?? []) messages.set({ channel, state }, n);
    },
  });
}

interface Counted {
  readonly channel: string;
  readonly state: string;
  readonly n: number;
}

/** Both states of each channel on which something waits or was given up. */
async function count(tx: ReadTx): Promise<Counted[]> {
  const counted = await Promise.all(
    OUTGOING.flatMap((channel) =>
      STATES.map(async (state) => ({ channel, state, n: await tx.count(outbox, { channel, state }) })),
    ),
  );
  const used = new Set(counted.filter(({ n }) => n > 0).map(({ channel }) => channel));
  return counted.filter(({ channel }) => used.has(channel));
}
