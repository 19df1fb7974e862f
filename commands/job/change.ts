import { z } from 'zod';
import { settle } from '../../src/core/approvals.ts';
import { command } from '../../src/core/command.ts';
import { queueJob } from '../../src/core/jobs/state.ts';
import { runbookArgs } from '../../src/core/runbook-args.ts';
import { approvals } from '../../src/domain/approval.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { checkStep, isOver, jobDigest, jobs } from '../../src/domain/job.ts';
import { may } from '../../src/domain/permission.ts';
import { runbookOf } from '../../src/domain/catalog.ts';
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
      // The worker that holds it stops the try and writes how it ended.
      const asked = await ctx.tx.update(jobs, row, { cancelRequested: true });
      await ctx.emit('job.cancelling', row.ref, {});
      return jobReply(`${row.ref} is being stopped.`, asked);
    }
    await ctx.tx.queue.withdraw(row);
    const cancelled = await ctx.tx.update(jobs, row, { state: 'cancelled', endedAt: ctx.now, ticket: null });
    await ctx.emit('job.cancelled', row.ref, {});
    const request = row.approval === null ? undefined : await ctx.tx.get(approvals, { ref: row.approval });
    if (request?.state === 'pending') await settle(ctx, request, 'cancelled', `${row.ref} was cancelled`);
    return jobReply(`${row.ref} is cancelled.`, cancelled);
  },
});

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
    checkStep(row.ref, row.state, 'queued');
    const runbook = runbookOf(ctx.catalog, row.runbook);
    if (!runbook)
      throw new Refusal('conflict', `The configuration no longer defines ${row.runbook}, so it cannot run.`);
    if (!may(ctx.who, runbook.permission))
      throw new Refusal('forbidden', `it needs the permission ${runbook.permission}`);
    // A vote is for one run; another run of the same asks for its own.
    if (runbook.approval)
      throw new Refusal(
        'conflict',
        `${row.runbook} needs a new approval for each run: use \`job run ${row.runbook}\`.`,
      );
    // The runbook may have been changed since: it runs as it is now, if it still takes these arguments.
    const args = runbookArgs(runbook, row.args);
    const queued = await queueJob(ctx.tx, row, {
      args,
      digest: jobDigest(runbook, args),
      maxAttempts: row.attempt + runbook.tries.max,
      runAt: ctx.now,
      cancelRequested: false,
      error: null,
      result: null,
      endedAt: null,
    });
    await ctx.emit('job.queued', row.ref, { runbook: row.runbook, retry: true });
    return jobReply(`${row.ref} is queued again.`, queued);
  },
});
