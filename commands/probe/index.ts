import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { createJob } from '../../src/core/jobs/creating.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { probeRunbook, probeStates, type Probe } from '../../src/domain/probe.ts';
import { jobReply } from '../job/view.ts';
import { unknown } from '../shared/people.ts';
import { probeView } from './view.ts';

const name = z.string().min(1).max(64).describe('Which probe');

const probeRun = command({
  name: 'probe.run',
  summary: 'Ask a probe’s question now, as a job; its result follows.',
  args: z.object({ probe: name }),
  positional: ['probe'],
  needs: 'probe:run',
  risk: 'write',
  examples: [
    {
      text: 'probe run api',
      json: { command: 'probe.run', args: { probe: 'api' } },
      says: 'please run the probe api',
    },
  ],
  possible: ({ probe }, catalog) => void findProbe(catalog, probe),
  async run(ctx, { probe }) {
    const row = await createJob(ctx, probeRunbook(findProbe(ctx.catalog, probe)), {}, null);
    return jobReply(`${row.ref} asks probe ${probe}.`, row);
  },
});

const probeList = command({
  name: 'probe.list',
  summary: 'List the probes and what they last saw.',
  args: z.object({}),
  needs: 'probe:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/probes' },
  examples: [{ text: 'probe list', json: { command: 'probe.list', args: {} } }],
  async run(ctx) {
    const seen = new Map((await ctx.tx.find(probeStates)).map((row) => [row.id, row]));
    const probes = [...ctx.catalog.probes.values()];
    const lines = probes.map((p) => `${p.name} [${seen.get(p.name)?.state ?? 'unknown'}] ${p.summary}`);
    const items = probes.map((probe) => probeView(probe, seen.get(probe.name)));
    return { text: lines.join('\n') || 'The configuration defines no probes.', data: { items } };
  },
});

const probeShow = command({
  name: 'probe.show',
  summary: 'Show a probe: what it asks, what it expects, what it last saw.',
  args: z.object({ id: name }),
  positional: ['id'],
  needs: 'probe:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/probes/{id}' },
  examples: [{ text: 'probe show api', json: { command: 'probe.show', args: { id: 'api' } } }],
  async run(ctx, { id }) {
    const probe = findProbe(ctx.catalog, id);
    const row = await ctx.tx.get(probeStates, { id });
    const last = row ? `since ${row.since.toISOString()}, ${row.latency} ms` : 'never run';
    const lines = [
      `${id} [${row?.state ?? 'unknown'}] ${probe.method} ${probe.url} (${last})`,
      ...(row?.failures ?? []),
    ];
    return { text: lines.join('\n'), data: probeView(probe, row) };
  },
});

export const probeCommands = [probeRun, probeList, probeShow] as const;

function findProbe({ probes }: Catalog, id: string): Probe {
  const probe = probes.get(id);
  if (!probe) throw unknown('probe', id, [...probes.keys()]);
  return probe;
}
