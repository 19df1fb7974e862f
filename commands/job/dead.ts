import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import type { DeadLetter } from '../../src/core/jobs/dead-letters.ts';
import { dealWith, dismiss, redrive, type Dealt } from '../../src/core/jobs/redriving.ts';
import type { Reply } from '../../src/core/message.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { STAGES } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { deadLetters } from '../../src/domain/records.ts';
import type { Where } from '../../src/domain/table.ts';
import { date, limit, ref } from '../shared/fields.ts';
import { instant } from './view.ts';

/** As many as one transaction looks at; what is above is for another call. */
const MOST = 500;
/** Of those that could not be dealt with, in the text. */
const SHOWN = 20;

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
  settledAt: null,
  ...(runbook !== undefined && { runbook }),
  ...(stage !== undefined && { stage }),
  ...(since !== undefined && { at: { atLeast: new Date(since) } }),
});

const jobDeadList = command({
  name: 'job.dead.list',
  summary: 'List what came to its end without success and is not dealt with, the newest first.',
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
    const pace = rate === undefined ? 0 : MINUTE / rate;
    const all = await dealWith(ctx, await chosen(ctx, id, wanted), most, (letter, before) =>
      redrive(ctx, letter, new Date(ctx.now.getTime() + Math.round(before * pace))),
    );
    return dealtReply('redriven', id, all);
  },
});

const jobDeadDismiss = command({
  name: 'job.dead.dismiss',
  summary: 'Close dead letters from which nothing more is to come: one, or those that a filter names.',
  args: z.object({
    id: ref('The job').optional(),
    ...filters,
    reason: z.string().min(1).max(500).describe('Why, for the journal'),
    limit: limit(MOST, 100),
  }),
  positional: ['id'],
  needs: 'job:run',
  risk: 'write',
  route: { method: 'post', path: '/v1/jobs/dead/dismiss' },
  examples: [
    {
      text: 'job dead dismiss JOB-3 --reason "done by hand"',
      json: { command: 'job.dead.dismiss', args: { id: 'JOB-3', reason: 'done by hand' } },
    },
  ],
  async run(ctx, { id, limit: most, reason, ...wanted }) {
    const all = await dealWith(ctx, await chosen(ctx, id, wanted), most, (letter) =>
      dismiss(ctx, letter, reason),
    );
    return dealtReply('dismissed', id, all);
  },
});

/** The open letters that are meant, the oldest first. @throws Refusal where none is, or nothing says which. */
async function chosen(ctx: Ctx, id: string | undefined, wanted: Filters): Promise<DeadLetter[]> {
  if (id === undefined && Object.values(wanted).every((value) => value === undefined))
    throw new Refusal(
      'invalid_argument',
      'Name a job, or which are meant: --runbook, --stage or --since. Example: job dead redrive --stage claim',
    );
  const letters = await ctx.tx.find(deadLetters, {
    where: { ...matching(wanted), ...(id !== undefined && { job: id }) },
    orderBy: [{ column: 'id' }],
    limit: MOST,
  });
  if (letters.length === 0) throw await noneLeft(ctx, id);
  return letters;
}

/** Why there is none to deal with: that was done before, or it never died. */
async function noneLeft(ctx: Ctx, id: string | undefined): Promise<Refusal> {
  if (id === undefined) return new Refusal('not_found', 'No dead letters match.');
  const [last] = await ctx.tx.find(deadLetters, {
    where: { job: id },
    orderBy: [{ column: 'id', descending: true }],
    limit: 1,
  });
  if (!last?.settledAt) return new Refusal('not_found', `There is no dead letter of ${id}.`);
  return new Refusal(
    'conflict',
    `${id} was dealt with already, by ${last.settledBy} at ${instant(last.settledAt)}.`,
  );
}

function dealtReply(what: 'redriven' | 'dismissed', id: string | undefined, all: readonly Dealt[]): Reply {
  const [only] = all;
  // Of one alone, the answer is its own.
  if (id !== undefined && all.length === 1 && only?.refusal) throw only.refusal;
  const left = all.filter((each) => each.refusal);
  const gone = all.length - left.length;
  const lines = [
    `${gone} ${what}${left.length > 0 ? `, ${left.length} not` : ''}.`,
    ...left.slice(0, SHOWN).map(({ letter, refusal }) => `${letter.job}: ${refusal?.message}`),
    ...(left.length > SHOWN ? ['…'] : []),
  ];
  const items = all.map(({ letter, refusal }) => ({
    ...letterView(letter),
    [what]: !refusal,
    error: refusal ? { code: refusal.code, message: refusal.message } : null,
  }));
  return { text: lines.join('\n'), data: { [what]: gone, items } };
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

export const deadCommands = [jobDeadList, jobDeadRedrive, jobDeadDismiss] as const;
