import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { effects } from '../../src/domain/records.ts';
import { limit, ref } from '../shared/fields.ts';
import { findJob } from './view.ts';

export const jobEffects = command({
  name: 'job.effects',
  summary:
    'Show the receipts of what a job did outside: what, where to, under which keys, with what outcome.',
  args: z.object({
    id: ref('The job'),
    limit: limit(500, 100),
    after: z.uuid().optional().describe('Only those after this one'),
  }),
  positional: ['id'],
  needs: 'job:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/jobs/{id}/effects' },
  examples: [{ text: 'job effects JOB-1', json: { command: 'job.effects', args: { id: 'JOB-1' } } }],
  async run(ctx, { id, limit: most, after }) {
    const job = await findJob(ctx, id);
    const rows = await ctx.tx.find(effects, {
      where: { job: job.ref, ...(after !== undefined && { id: { above: after } }) },
      orderBy: [{ column: 'id' }],
      limit: most,
    });
    const lines = rows.map(({ attempt, step, phase, kind, target, outcome }) => {
      const what = phase === 'compensating' ? `undoing ${step}` : step;
      return [`try ${attempt}`, what, `${kind} ${target}`, outcome].filter(Boolean).join(' · ');
    });
    const items = rows.map((row) => ({
      id: row.id,
      job: row.job,
      attempt: row.attempt,
      step: row.step,
      phase: row.phase,
      kind: row.kind,
      target: row.target,
      inboundKey: row.inboundKey,
      outboundKey: row.outboundKey,
      outcome: row.outcome,
      digest: row.digest,
      startedAt: row.startedAt.toISOString(),
      endedAt: row.endedAt.toISOString(),
    }));
    return {
      text: lines.join('\n') || `${job.ref} has done nothing outside${after === undefined ? '' : ' more'}.`,
      data: { items, next: rows.length === most ? (rows.at(-1)?.id ?? null) : null },
    };
  },
});
