import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { runbookArgs } from '../../src/core/runbook-args.ts';
import type { ReadTx } from '../../src/core/store.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { presets } from '../../src/domain/records.ts';
import { may } from '../../src/domain/permission.ts';
import { redact } from '../../src/domain/redact.ts';
import { permissionsOf } from '../../src/domain/step.ts';
import type { Row } from '../../src/domain/table.ts';
import { newName } from '../shared/fields.ts';
import { unknown } from '../shared/people.ts';

type PresetRow = Row<typeof presets>;

/** A workspace has this many at most, so that they can be listed and suggested at once. */
const MOST = 500;

const preset = z.string().min(1).max(64).describe('Which preset');

const presetAdd = command({
  name: 'job.preset.add',
  summary: 'Save arguments of a runbook under a name.',
  args: z.object({
    preset: newName('Its name'),
    runbook: z.string().min(1).max(64).describe('Of which runbook'),
    args: z
      .record(z.string(), z.json())
      .default({})
      .meta({ kind: 'json', rest: true })
      .describe('The runbook’s arguments, as flags of their own: --env staging'),
  }),
  positional: ['preset', 'runbook'],
  needs: 'job:preset',
  alsoNeeds: ({ runbook }, catalog) => permissionsOf(catalog.runbooks.get(runbook)),
  risk: 'write',
  route: { method: 'post', path: '/v1/jobs/presets', status: 201 },
  examples: [
    {
      text: 'job preset add staging-deploy deploy --env staging',
      json: {
        command: 'job.preset.add',
        args: { preset: 'staging-deploy', runbook: 'deploy', args: { env: 'staging' } },
      },
    },
  ],
  async run(ctx, { preset: name, runbook, args: given }) {
    const args = given as JsonObject;
    checkPreset(ctx, runbook, args);
    if (await ctx.tx.get(presets, { name }))
      throw new Refusal(
        'conflict',
        `There is a preset ${name} already: \`job preset remove ${name}\` first.`,
      );
    if ((await ctx.tx.count(presets)) >= MOST)
      throw new Refusal('conflict', `There are ${MOST} presets, which is the most; remove some first.`);
    const row = await ctx.tx.insert(presets, {
      id: ctx.tx.id(),
      name,
      runbook,
      args,
      createdBy: ctx.who.name,
      chain: await ctx.chain(),
      createdAt: ctx.now,
    });
    await ctx.emit('job.preset_added', name, { runbook, args });
    return { text: `Saved: \`job run --preset ${name}\` runs ${runbook}.`, data: view(row) };
  },
});

const presetList = command({
  name: 'job.preset.list',
  summary: 'List the presets.',
  args: z.object({ runbook: z.string().max(64).optional().describe('Only those of this runbook') }),
  needs: 'job:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/jobs/presets' },
  examples: [{ text: 'job preset list', json: { command: 'job.preset.list', args: {} } }],
  async run(ctx, { runbook }) {
    const where = runbook === undefined ? {} : { runbook };
    const rows = await ctx.tx.find(presets, { where, orderBy: [{ column: 'name' }], limit: MOST });
    const text = rows.map((row) => line(ctx, row)).join('\n') || 'No presets.';
    return { text, data: { items: rows.map(view) } };
  },
});

const presetShow = command({
  name: 'job.preset.show',
  summary: 'Show a preset: what it runs.',
  args: z.object({ preset }),
  positional: ['preset'],
  needs: 'job:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/jobs/presets/{preset}' },
  examples: [
    { text: 'job preset show nightly', json: { command: 'job.preset.show', args: { preset: 'nightly' } } },
  ],
  async run(ctx, { preset: name }) {
    const row = await findPreset(ctx.tx, name);
    return { text: line(ctx, row), data: view(row) };
  },
});

const presetRemove = command({
  name: 'job.preset.remove',
  summary: 'Remove a preset; jobs that came of it are not touched.',
  args: z.object({ preset }),
  positional: ['preset'],
  needs: 'job:preset',
  risk: 'write',
  route: { method: 'delete', path: '/v1/jobs/presets/{preset}' },
  examples: [
    {
      text: 'job preset remove nightly',
      json: { command: 'job.preset.remove', args: { preset: 'nightly' } },
    },
  ],
  async run(ctx, { preset: name }) {
    const row = await findPreset(ctx.tx, name);
    const missing = permissionsOf(ctx.catalog.runbooks.get(row.runbook)).find((one) => !may(ctx.who, one));
    if (missing !== undefined) throw new Refusal('forbidden', `it needs the permission ${missing}`);
    await ctx.tx.remove(presets, { id: row.id });
    await ctx.emit('job.preset_removed', name, { runbook: row.runbook });
    return { text: `Removed the preset ${name}.`, data: view(row) };
  },
});

export const presetCommands = [presetAdd, presetList, presetShow, presetRemove] as const;

/** @throws Refusal `not_found` with the nearest names. */
export async function findPreset(tx: ReadTx, name: string): Promise<PresetRow> {
  const row = await tx.get(presets, { name });
  if (row) return row;
  const known = await tx.find(presets, { orderBy: [{ column: 'name' }], limit: MOST });
  throw unknown(
    'preset',
    name,
    known.map((one) => one.name),
  );
}

/** What is saved can run as it is, and may be read by whoever may read jobs. @throws Refusal. */
function checkPreset({ catalog }: Ctx, name: string, args: JsonObject): void {
  const runbook = catalog.runbooks.get(name);
  if (!runbook) throw unknown('runbook', name, [...catalog.runbooks.keys()]);
  runbookArgs(runbook, args);
}

const line = (ctx: Ctx, { name, runbook, args }: PresetRow): string =>
  `${name}: ${ctx.format({ command: 'job.run', args: { runbook, args: redact(args) } })}`;

function view({ name, version, runbook, args, createdBy, createdAt }: PresetRow): JsonObject {
  return {
    id: name,
    version,
    runbook,
    args: redact(args),
    createdBy,
    createdAt: createdAt.toISOString(),
  };
}
