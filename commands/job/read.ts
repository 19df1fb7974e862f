import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { logCard } from '../../src/core/jobs/job-card.ts';
import { jobView } from '../../src/core/jobs/job-json.ts';
import { artifacts } from '../../src/domain/artifact.ts';
import { JOB_STATES, jobLogs, jobs } from '../../src/domain/job.ts';
import type { Json } from '../../src/domain/json.ts';
import { usageText } from '../../src/domain/usage.ts';
import { limit, principal, ref } from '../shared/fields.ts';
import { findJob, jobLine, stepLine, stepsView } from './view.ts';

export const jobList = command({
  name: 'job.list',
  summary: 'List jobs, the newest first.',
  args: z.object({
    state: z.enum(JOB_STATES).optional().describe('Only those in this state'),
    runbook: z.string().max(70).optional().describe('Only runs of this runbook'),
    requester: principal('Only those this person asked for; `me` for your own').optional(),
    limit: limit(200, 20),
    before: ref('Only jobs older than this one').optional(),
  }),
  needs: 'job:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/jobs' },
  examples: [
    { text: 'job list', json: { command: 'job.list', args: {} }, says: 'show me the jobs' },
    { text: 'job list --state failed', json: { command: 'job.list', args: { state: 'failed' } } },
  ],
  async run(ctx, { state, runbook, requester, limit: most, before }) {
    const older = before === undefined ? undefined : await findJob(ctx, before);
    const rows = await ctx.tx.find(jobs, {
      where: {
        ...(state !== undefined && { state }),
        ...(runbook !== undefined && { runbook }),
        ...(requester !== undefined && { requester: requester === 'me' ? ctx.who.name : requester }),
        ...(older && { id: { below: older.id } }),
      },
      orderBy: [{ column: 'id', descending: true }],
      limit: most,
    });
    const text = rows.length === 0 ? 'No such jobs.' : rows.map((row) => jobLine(row, ctx.now)).join('\n');
    return {
      text,
      data: { items: rows.map(jobView), next: rows.length === most ? (rows.at(-1)?.ref ?? null) : null },
    };
  },
});

export const jobShow = command({
  name: 'job.show',
  summary: 'Show a job: state, tries, result.',
  args: z.object({ id: ref('The job') }),
  positional: ['id'],
  needs: 'job:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/jobs/{id}' },
  examples: [{ text: 'job show JOB-1', json: { command: 'job.show', args: { id: 'JOB-1' } } }],
  async run(ctx, { id }) {
    const row = await findJob(ctx, id);
    const made = await ctx.tx.count(artifacts, { job: row.ref });
    const lines = [
      jobLine(row, ctx.now),
      row.usage && `used ${usageText(row.usage)}`,
      made > 0 && `made ${made === 1 ? '1 artifact' : `${made} artifacts`}: artifact list --job ${row.ref}`,
    ];
    const steps = await stepsView(ctx, row);
    const text = [...lines, ...(steps ?? []).map(stepLine)].filter(Boolean).join('\n');
    return { text, data: { ...jobView(row), ...(steps && { steps: steps as unknown as Json }) } };
  },
});

export const jobShowLogs = command({
  name: 'job.logs',
  summary: 'Show a job’s log, from a cursor on, or its last lines.',
  args: z.object({
    id: ref('The job'),
    after: z.int().min(0).default(0).describe('Only lines after this cursor'),
    tail: z.int().min(1).max(500).optional().describe('Only so many lines, the last ones'),
    limit: limit(500, 100),
  }),
  positional: ['id'],
  needs: 'job:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/jobs/{id}/logs' },
  examples: [
    { text: 'job logs JOB-1', json: { command: 'job.logs', args: { id: 'JOB-1' } } },
    { text: 'job logs JOB-1 --tail 20', json: { command: 'job.logs', args: { id: 'JOB-1', tail: 20 } } },
  ],
  async run(ctx, { id, after, tail, limit: most }) {
    const row = await findJob(ctx, id);
    const found = await ctx.tx.find(jobLogs, {
      where: { job: row.ref, cursor: { above: after } },
      orderBy: [{ column: 'cursor', descending: tail !== undefined }],
      limit: tail ?? most,
    });
    const lines = tail === undefined ? found : found.toReversed();
    return {
      text:
        lines.length === 0
          ? `${row.ref} has logged nothing${after > 0 ? ' more' : ''}.`
          : lines.map((l) => l.line).join('\n'),
      data: {
        items: lines.map(({ cursor, stream, line, at }) => ({ cursor, stream, line, at: at.toISOString() })),
        next: lines.at(-1)?.cursor ?? after,
      },
      ...(tail !== undefined &&
        lines.length > 0 && {
          card: logCard(
            row.ref,
            lines.map(({ line }) => line),
          ),
        }),
    };
  },
});
