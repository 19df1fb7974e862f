import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { CONTINUE } from '../../src/core/jobs/asking.ts';
import { giveUpWait, resume } from '../../src/core/jobs/waiting.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { jobs } from '../../src/domain/job.ts';
import { may } from '../../src/domain/permission.ts';
import { permissionsOf } from '../../src/domain/step.ts';
import { ref } from '../shared/fields.ts';
import { findJob, jobReply } from './view.ts';

const object = z.record(z.string(), z.json()).meta({ kind: 'json' });

/** What is asked for when a step waits for an approval; nothing but that approval runs it. */
export const jobContinue = command({
  name: CONTINUE,
  summary: 'Let a job go on whose step waits for an approval; the approval itself does.',
  args: z.object({
    id: ref('The job'),
    step: z.string().max(64).describe('The step that waits'),
    runbook: z.string().max(70).default('').describe('What the job runs'),
    args: object.default({}).describe('What the job runs it with'),
    outputs: object.default({}).describe('What its steps have returned so far, or the digest of that'),
    digest: z.string().max(64).default('').describe('The digest of the job as it was asked for'),
  }),
  positional: ['id', 'step'],
  needs: 'job:run',
  risk: 'write',
  riskOf: ({ runbook }, catalog) => catalog.runbooks.get(runbook)?.risk ?? 'write',
  examples: [
    {
      text: 'job continue JOB-4 confirm',
      json: { command: CONTINUE, args: { id: 'JOB-4', step: 'confirm' } },
    },
  ],
  async run(ctx, { id, digest }) {
    const row = await findJob(ctx, id);
    const approval = row.waitFor?.kind === 'approval' ? row.waitFor.approval : undefined;
    if (row.state !== 'waiting' || approval === undefined)
      throw new Refusal('conflict', `${id} is ${row.state} and waits for no approval of a step.`);
    if (ctx.approved?.ref !== approval)
      throw new Refusal('conflict', `${id} goes on once ${approval} is approved: \`approve ${approval}\`.`);
    if (digest !== row.digest) throw new Refusal('conflict', `${id} is not what was approved.`);
    const missing = permissionsOf(row.plan ?? undefined).find((permission) => !may(ctx.who, permission));
    if (missing) throw new Refusal('forbidden', `it needs the permission ${missing}`);
    await resume(ctx.tx, row, { approval });
    return jobReply(`${id} goes on.`, (await ctx.tx.get(jobs, { id: row.id })) ?? row);
  },
  async hold(_ctx, { id }) {
    return { target: id };
  },
  async drop(ctx, { id }, approval, reason) {
    const row = await ctx.tx.get(jobs, { ref: id });
    const waits = row?.waitFor?.kind === 'approval' && row.waitFor.approval === approval.ref;
    if (waits) await giveUpWait(ctx.tx, row, reason);
  },
});
