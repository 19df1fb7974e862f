import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { redrive, type DeadLetter, type Redriven } from '../../src/core/jobs/redriving.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { STAGES } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { deadLetters } from '../../src/domain/records.ts';
import type { Where } from '../../src/domain/table.ts';
import { date, limit, ref } from '../shared/fields.ts';
import { instant } from './view.ts';

/** As many as one transaction changes; what is above is for another call. */
const MOST = 500;

const filters = {
  runbook: z.string().max(70).optional().describe('Only runs of this runbook'),
  stage: z.enum(STAGES).optional().describe('Only those that came to their end here'),
  since: date('Only those from this time on').optional(),
};

interface Filters {
  readonly runbook?: string | undefined;
  readonly stage?: (typeof STAGES)[number] | undefined;
  readonly since?: string | undefined;
}

const matching = ({ runbook, stage, since }: Filters): Where<typeof deadLetters> => ({
  redrivenAt: null,
  ...(runbook !== undefined && { runbook }),
  ...(stage !== undefined && { stage }),
  ...(since !== undefined && { at: { atLeast: new Date(since) } }),
});

const jobDeadList = command({
  name: 'job.dead.list',
  summary: 'List what came to its end without success and was not redriven, the newest first.',
  args: z.object({
    ...filters,
    limit: limit(200, 20),
    before: z.uuid().optional().describe('Only those before this one, by the `key` of the last page'),
  }),
  needs: 'job:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/jobs/dead' },
  examples: [
    { text: 'job dead list', json: { command: 'job.dead.list', args: {} } },
    {
      text: 'job dead list --stage run --runbook deploy',
      json: { command: 'job.dead.list', args: { stage: 'run', runbook: 'deploy' } },
    },
  ],
  async run(ctx, { limit: most, before, ...wanted }) {
    const rows = await ctx.tx.find(deadLetters, {
      where: { ...matching(wanted), ...(before !== undefined && { id: { below: before } }) },
      orderBy: [{ column: 'id', descending: true }],
      limit: most,
    });
    return {
      text: rows.length === 0 ? 'No dead letters.' : rows.map(letterLine).join('\n'),
      data: { items: rows.map(letterView), next: rows.length === most ? (rows.at(-1)?.id ?? null) : null },
    };
  },
});

const jobDeadRedrive = command({
  name: 'job.dead.redrive',
  summary: 'Run dead jobs again, or send their reports again: one, or those that a filter names, at a rate.',
  args: z.object({
    id: ref('The job').optional(),
    ...filters,
    limit: limit(MOST, 100),
    rate: z.int().min(1).max(6_000).optional().describe('How many a minute at most; all at once unless told'),
  }),
  positional: ['id'],
  needs: 'job:run',
  risk: 'write',
  route: { method: 'post', path: '/v1/jobs/dead/redrive' },
  examples: [
    { text: 'job dead redrive JOB-3', json: { command: 'job.dead.redrive', args: { id: 'JOB-3' } } },
    {
      text: 'job dead redrive --runbook deploy --stage claim --rate 10',
      json: { command: 'job.dead.redrive', args: { runbook: 'deploy', stage: 'claim', rate: 10 } },
    },
  ],
  async run(ctx, { id, limit: most, rate, ...wanted }) {
    if (id === undefined && Object.values(wanted).every((value) => value === undefined))
      throw new Refusal(
        'invalid_argument',
        'Name a job, or what to redrive: --runbook, --stage or --since. Example: job dead redrive --stage claim',
      );
    const letters = await ctx.tx.find(deadLetters, {
      where: { ...matching(wanted), ...(id !== undefined && { job: id }) },
      orderBy: [{ column: 'id' }],
      limit: most,
    });
    if (letters.length === 0) throw await noneLeft(ctx, id);
    const pace = rate === undefined ? 0 : MINUTE / rate;
    const done = await redrive(
      ctx,
      letters,
      (index) => new Date(ctx.now.getTime() + Math.round(index * pace)),
    );
    const [only] = done;
    // Of one alone, the answer is its own.
    if (id !== undefined && done.length === 1 && only?.refusal) throw only.refusal;
    return redrivenReply(done);
  },
});

/** Why there is nothing to redrive: it was done before, or never died. */
async function noneLeft(ctx: Ctx, id: string | undefined): Promise<Refusal> {
  if (id === undefined) return new Refusal('not_found', 'No dead letters match.');
  const [last] = await ctx.tx.find(deadLetters, {
    where: { job: id },
    orderBy: [{ column: 'id', descending: true }],
    limit: 1,
  });
  if (!last?.redrivenAt) return new Refusal('not_found', `There is no dead letter of ${id}.`);
  return new Refusal(
    'conflict',
    `${id} was redriven already, by ${last.redrivenBy} at ${instant(last.redrivenAt)}.`,
  );
}

function redrivenReply(done: readonly Redriven[]) {
  const left = done.filter((each) => each.refusal);
  const gone = done.length - left.length;
  const lines = [
    `${gone} redriven${left.length > 0 ? `, ${left.length} not` : ''}.`,
    ...left.map(({ letter, refusal }) => `${letter.job}: ${refusal?.message}`),
  ];
  const items = done.map(({ letter, refusal }) => ({
    ...letterView(letter),
    redriven: !refusal,
    error: refusal ? { code: refusal.code, message: refusal.message } : null,
  }));
  return { text: lines.join('\n'), data: { redriven: gone, items } };
}

const letterLine = ({ job, runbook, stage, reason, at }: DeadLetter): string =>
  `${job} [${stage}] ${runbook} · ${instant(at)} · ${reason}`;

const letterView = ({ id, job, runbook, stage, reason, at }: DeadLetter): JsonObject => ({
  id: job,
  key: id,
  runbook,
  stage,
  reason,
  at: at.toISOString(),
});

export const deadCommands = [jobDeadList, jobDeadRedrive] as const;
