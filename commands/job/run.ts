import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { queueJob } from '../../src/core/jobs/state.ts';
import { runbookUsage } from '../../src/core/runbook-args.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { checkStep, isOver, jobDigest, jobs } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { may } from '../../src/domain/permission.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { unknown } from '../shared/people.ts';
import { createJob } from './create.ts';
import { findJob, jobReply } from './view.ts';

export const jobRun = command({
  name: 'job.run',
  summary: 'Run a runbook as a job; where its policy asks for it, after approval.',
  args: z.object({
    runbook: z.string().min(1).max(64).describe('Which runbook'),
    args: z
      .record(z.string(), z.json())
      .default({})
      .meta({ kind: 'json', rest: true })
      .describe('Its arguments, as flags of their own: --env staging'),
  }),
  positional: ['runbook'],
  needs: 'job:run',
  alsoNeeds: ({ runbook }, catalog) => catalog.runbooks.get(runbook)?.permission,
  risk: 'write',
  riskOf: ({ runbook }, catalog) => catalog.runbooks.get(runbook)?.risk ?? 'write',
  policy: ({ runbook }, catalog) => catalog.runbooks.get(runbook)?.approval,
  route: { method: 'post', path: '/v1/jobs', status: 201 },
  examples: [
    {
      text: 'job run restart',
      json: { command: 'job.run', args: { runbook: 'restart' } },
      says: 'please run the restart job',
    },
    {
      text: 'job run deploy --env staging',
      json: { command: 'job.run', args: { runbook: 'deploy', args: { env: 'staging' } } },
    },
  ],
  more: (catalog, who) => {
    const mine = [...catalog.runbooks.values()].filter((runbook) => may(who, runbook.permission));
    return mine.length === 0
      ? []
      : [['Runbooks:', ...mine.map((r) => `  ${runbookUsage(r)}\n      ${r.summary}`)].join('\n')];
  },
  async run(ctx, { runbook: name, args }) {
    const runbook = findRunbook(ctx.catalog, name);
    if (ctx.approved) return startApproved(ctx, runbook, ctx.approved.target);
    const row = await createJob(ctx, runbook, args as JsonObject, null);
    return jobReply(`${row.ref} is queued: ${name}.`, row);
  },
  async hold(ctx, { runbook: name, args }, approval) {
    const row = await createJob(ctx, findRunbook(ctx.catalog, name), args as JsonObject, approval);
    return { target: row.ref };
  },
  async drop(ctx, _args, { ref, target }, reason) {
    const row = await findJob(ctx, target);
    if (isOver(row.state)) return;
    checkStep(row.ref, row.state, 'cancelled');
    await ctx.tx.update(jobs, row, {
      state: 'cancelled',
      endedAt: ctx.now,
      error: reason,
    });
    await ctx.emit('job.cancelled', row.ref, { approval: ref, reason });
  },
});

function findRunbook(catalog: Catalog, name: string): Runbook {
  const runbook = catalog.runbooks.get(name);
  if (!runbook) throw unknown('runbook', name, [...catalog.runbooks.keys()]);
  return runbook;
}

/** What was approved is what runs: the job that has waited since the request, if its runbook is still the same. */
async function startApproved(ctx: Ctx, runbook: Runbook, target: string) {
  const row = await findJob(ctx, target);
  if (row.state === 'cancelled') throw new Refusal('conflict', `${row.ref} was cancelled while it waited.`);
  checkStep(row.ref, row.state, 'queued');
  if (row.digest !== jobDigest(runbook, row.args))
    throw new Refusal(
      'conflict',
      `The runbook ${runbook.name} was changed since ${row.ref} was asked for; ask again.`,
    );
  const queued = await queueJob(ctx.tx, row, { runAt: ctx.now });
  await ctx.emit('job.queued', row.ref, { runbook: runbook.name, args: row.args, approval: row.approval });
  return jobReply(`${row.ref} is queued: ${runbook.name}.`, queued);
}
