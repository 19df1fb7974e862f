import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { approvalFor } from '../../src/core/budgets.ts';
import { command, type Command, type Ctx, type Expanded, type Expanding } from '../../src/core/command.ts';
import { admitRun } from '../../src/core/jobs/admitting.ts';
import { settleLetters } from '../../src/core/jobs/dead-letters.ts';
import { createJob, type Wishes } from '../../src/core/jobs/creating.ts';
import { cancelUnheld } from '../../src/core/jobs/ending.ts';
import { existingRun, keyOf, type Key } from '../../src/core/jobs/keys.ts';
import { checkNotify } from '../../src/core/jobs/notifying.ts';
import { queueJob } from '../../src/core/jobs/queueing.ts';
import { runbookArgs, runbookUsage } from '../../src/core/runbook-args.ts';
import type { Reply } from '../../src/core/message.ts';
import { approvals, type ApprovalPolicy } from '../../src/domain/approval.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { DAY } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { checkStep, isOver, jobDigest, jobs, type JobRow } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { may } from '../../src/domain/permission.ts';
import { PROBE } from '../../src/domain/probe.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { permissionsOf } from '../../src/domain/step.ts';
import { date, duration, ref } from '../shared/fields.ts';
import { unknown } from '../shared/people.ts';
import { findPreset } from './preset.ts';
import { findJob, instant, jobReply, wanted } from './view.ts';

const args = z.object({
  runbook: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('Which runbook; a preset and an earlier job name it themselves'),
  at: date('Not before this time; UTC unless it says otherwise').optional(),
  in: duration('Not before so long from now', 0, 366 * DAY).optional(),
  priority: z
    .int()
    .min(0)
    .max(9)
    .optional()
    .describe('From 0 to 9, the higher the sooner; the runbook’s own unless told'),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 visible ASCII characters')
    .optional()
    .describe('A name of your own for this run: asking again with it gives the same job'),
  notify: z.string().max(2_000).optional().describe('A URL that its end is posted to, signed'),
  preset: z.string().min(1).max(64).optional().describe('Saved arguments; those given here win'),
  again: ref('An earlier job, whose runbook and arguments are taken').optional(),
  args: z
    .record(z.string(), z.json())
    .default({})
    .meta({ kind: 'json', rest: true })
    .describe('Its arguments, as flags of their own: --env staging'),
});

type Given = z.output<typeof args>;

export const jobRun: Command = command({
  name: 'job.run',
  summary: 'Run a runbook as a job; where its policy asks for it, after approval.',
  args,
  positional: ['runbook'],
  // Where it leads may be a secret.
  bulky: ['notify'],
  needs: 'job:run',
  alsoNeeds: ({ runbook = '' }, catalog) => permissionsOf(catalog.runbooks.get(runbook)),
  risk: 'write',
  riskOf: ({ runbook = '' }, catalog) => catalog.runbooks.get(runbook)?.risk ?? 'write',
  async policy(ctx, { runbook: name = '' }) {
    const runbook = ctx.catalog.runbooks.get(name);
    return runbook && approvalFor(ctx, runbook);
  },
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
    {
      text: 'job run restart --in 10m --priority 5',
      json: { command: 'job.run', args: { runbook: 'restart', in: 600_000, priority: 5 } },
    },
    { text: 'job run --again JOB-1', json: { command: 'job.run', args: { again: 'JOB-1' } } },
  ],
  more: (catalog, who) => {
    const mine = [...catalog.runbooks.values()].filter((r) =>
      permissionsOf(r).every((needed) => may(who, needed)),
    );
    return mine.length === 0
      ? []
      : [['Runbooks:', ...mine.map((r) => `  ${runbookUsage(r)}\n      ${r.summary}`)].join('\n')];
  },
  expand: (from, given) => expand(from, given),
  possible({ runbook, args: given, notify }, catalog) {
    runbookArgs(findRunbook(catalog, runbook), given as JsonObject);
    if (notify !== undefined) checkNotify(catalog, notify);
  },
  async repeated(ctx, given) {
    const key = keyIn(given);
    const row = key && (await existingRun(ctx.tx, ctx.who.name, key));
    return (
      row && jobReply(`${row.ref} was asked for with this key before: ${row.runbook}, ${row.state}.`, row)
    );
  },
  async run(ctx, given) {
    const runbook = findRunbook(ctx.catalog, given.runbook);
    if (ctx.approved) return startApproved(ctx, runbook, ctx.approved.target);
    const row = await createJob(ctx, runbook, given.args as JsonObject, null, wishes(ctx, given));
    return asked(queuedText(row, ctx.now), row);
  },
  async hold(ctx, given, approval) {
    const runbook = findRunbook(ctx.catalog, given.runbook);
    const row = await createJob(ctx, runbook, given.args as JsonObject, approval, wishes(ctx, given));
    return { target: row.ref };
  },
  async drop(ctx, _args, { ref: approval, target }, reason) {
    const row = await findJob(ctx, target);
    if (!isOver(row.state)) await cancelUnheld(ctx, row, { approval, reason });
  },
});

/** A preset gives way to the very arguments it stands for; an earlier job lends its own, and stays named. */
async function expand(from: Expanding, { runbook, args: own, preset, again }: Given): Promise<Expanded> {
  if (preset !== undefined && again !== undefined)
    throw new Refusal('invalid_argument', 'Give --preset or --again, not both.');
  if (preset !== undefined) {
    const saved = await findPreset(from.tx, preset);
    sameRunbook(runbook, saved.runbook, `The preset ${preset}`);
    const { preset: _, ...given } = from.given;
    const filled = { ...saved.args, ...(own as JsonObject) };
    return { args: { ...given, runbook: saved.runbook, args: filled }, authors: saved.chain };
  }
  if (again === undefined) return { args: from.given };
  if (!may(from.who, 'job:read')) throw new Refusal('forbidden', 'it needs the permission job:read');
  const row = await from.tx.get(jobs, { ref: again });
  if (!row) throw new Refusal('not_found', `There is no job ${again}.`);
  if (row.runbook.startsWith(PROBE))
    throw new Refusal(
      'invalid_argument',
      `${again} asked a probe: \`probe run ${row.runbook.slice(PROBE.length)}\`.`,
    );
  sameRunbook(runbook, row.runbook, again);
  if (Object.keys(own).length > 0 && !isDeepStrictEqual(own, row.args))
    throw new Refusal('invalid_argument', `${again} is done again with its own arguments; leave others out.`);
  return { args: { ...from.given, runbook: row.runbook, args: row.args } };
}

function sameRunbook(given: string | undefined, own: string, what: string): void {
  if (given !== undefined && given !== own)
    throw new Refusal('invalid_argument', `${what} is of the runbook ${own}, not ${given}.`);
}

function findRunbook(catalog: Catalog, name: string | undefined): Runbook {
  if (name === undefined)
    throw new Refusal(
      'invalid_argument',
      'job run needs runbook (Which runbook), --preset or --again. Example: job run restart',
    );
  const runbook = catalog.runbooks.get(name);
  if (!runbook) throw unknown('runbook', name, [...catalog.runbooks.keys()]);
  return runbook;
}

/** All else that is given is what is asked for under the key. */
function keyIn({ key, ...wish }: Given): Key | undefined {
  return key === undefined ? undefined : keyOf(key, wish as JsonObject);
}

/** What was asked for besides the runbook's arguments. @throws Refusal `invalid_argument`. */
function wishes(ctx: Ctx, given: Given): Wishes {
  const { at, in: delay, priority, notify, again } = given;
  if (at !== undefined && delay !== undefined)
    throw new Refusal('invalid_argument', 'Give --at or --in, not both.');
  const runAt = at === undefined ? new Date(ctx.now.getTime() + (delay ?? 0)) : new Date(at);
  if (runAt < ctx.now)
    throw new Refusal(
      'invalid_argument',
      `at: expected a time to come, got ${instant(runAt)}; it is ${instant(ctx.now)}.`,
    );
  if (notify !== undefined) checkNotify(ctx.catalog, notify);
  return { runAt, priority, key: keyIn(given), notify, repeats: again };
}

function queuedText(row: JobRow, now: Date): string {
  const until = row.runAt > now ? `until ${instant(row.runAt)}` : undefined;
  return `${[`${row.ref} is queued`, until, wanted(row)].filter(Boolean).join(' ')}: ${row.runbook}.`;
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
  await admitRun(ctx, runbook, await policyOf(ctx, row));
  if (row.repeats !== null) await settleLetters(ctx, row.repeats, 'another');
  // First the approval, then the time; an approval that comes after it makes it due at once.
  const queued = await queueJob(ctx.tx, row, { runAt: row.runAt > ctx.now ? row.runAt : ctx.now });
  await ctx.emit('job.queued', row.ref, { runbook: runbook.name, args: row.args, approval: row.approval });
  return asked(queuedText(queued, ctx.now), queued);
}

/** The answer to whoever asked for it, in whose place they hear what comes of it. */
const asked = (text: string, row: JobRow): Reply => ({ ...jobReply(text, row), job: row.ref });

/** What those who agreed to a job had to meet. */
async function policyOf(ctx: Ctx, { approval }: JobRow): Promise<ApprovalPolicy | undefined> {
  return approval === null ? undefined : (await ctx.tx.get(approvals, { ref: approval }))?.policy;
}
