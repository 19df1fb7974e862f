import { z } from 'zod';
import { settle } from '../../src/core/approvals.ts';
import { command, type Ctx } from '../../src/core/command.ts';
import { cancelUnheld } from '../../src/core/jobs/ending.ts';
import { repeat } from '../../src/core/jobs/repeating.ts';
import { cancelSteps, checkUndoing } from '../../src/core/jobs/waiting.ts';
import type { Reply } from '../../src/core/message.ts';
import { approvals } from '../../src/domain/approval.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { isOver, jobs, type JobRow } from '../../src/domain/job.ts';
import { ref } from '../shared/fields.ts';
import { findJob, jobReply } from './view.ts';

export const jobCancel = command({
  name: 'job.cancel',
  summary: 'Cancel a job: at once while it waits, within seconds while it runs.',
  args: z.object({ id: ref('The job') }),
  positional: ['id'],
  needs: 'job:cancel',
  risk: 'write',
  route: { method: 'post', path: '/v1/jobs/{id}/cancel' },
  examples: [{ text: 'job cancel JOB-2', json: { command: 'job.cancel', args: { id: 'JOB-2' } } }],
  async run(ctx, { id }) {
    const row = await findJob(ctx, id);
    if (isOver(row.state)) throw new Refusal('conflict', `${row.ref} is already ${row.state}.`);
    if (row.state === 'assigned' || row.state === 'running') {
      checkUndoing(row);
      // The worker that holds it stops the try and writes how it ended.
      const asked = await ctx.tx.update(jobs, row, { cancelRequested: true });
      await ctx.emit('job.cancelling', row.ref, {});
      return jobReply(`${row.ref} is being stopped.`, asked);
    }
    if (row.plan) return cancelHalfDone(ctx, row);
    const cancelled = await cancelUnheld(ctx, row);
    await withdrawRequest(ctx, row, row.approval);
    return jobReply(`${row.ref} is cancelled.`, cancelled);
  },
});

/** Nobody holds it now; a worker undoes what its steps did. */
async function cancelHalfDone(ctx: Ctx, row: JobRow): Promise<Reply> {
  const cancelled = await cancelSteps(ctx.tx, row);
  if (row.waitFor?.kind === 'approval') await withdrawRequest(ctx, row, row.waitFor.approval);
  return jobReply(`${row.ref} is being undone.`, cancelled);
}

async function withdrawRequest(ctx: Ctx, row: JobRow, approval: string | null): Promise<void> {
  const request = approval === null ? undefined : await ctx.tx.get(approvals, { ref: approval });
  if (request?.state === 'pending') await settle(ctx, request, 'cancelled', `${row.ref} was cancelled`);
}

export const jobRetry = command({
  name: 'job.retry',
  summary: 'Try a failed or cancelled job again, as a new attempt of the same job.',
  args: z.object({ id: ref('The job') }),
  positional: ['id'],
  needs: 'job:run',
  risk: 'write',
  route: { method: 'post', path: '/v1/jobs/{id}/retry' },
  examples: [{ text: 'job retry JOB-3', json: { command: 'job.retry', args: { id: 'JOB-3' } } }],
  async run(ctx, { id }) {
    const row = await findJob(ctx, id);
    const queued = await repeat(ctx, row, ctx.now, { retry: true });
    if (queued.phase === 'compensating') return jobReply(`${row.ref}: what is left is being undone.`, queued);
    return jobReply(`${row.ref} is queued again.`, queued);
  },
});
