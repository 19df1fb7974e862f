import { z } from 'zod';
import { command, type Ctx, type Waits } from '../../src/core/command.ts';
import { renew } from '../../src/core/jobs/claiming.ts';
import { addLines } from '../../src/core/jobs/log.ts';
import { noteProgress } from '../../src/core/jobs/progress.ts';
import { tellNews } from '../../src/core/jobs/telling.ts';
import { outboundKey } from '../../src/core/jobs/receipts.ts';
import {
  boundMet,
  claimedJob,
  claimOf,
  claimRemote,
  endClaim,
  HEARTBEAT,
  nextDue,
  receiptOf,
} from '../../src/core/jobs/remote.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { jobs, type JobRow } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { may } from '../../src/domain/permission.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { ref } from '../shared/fields.ts';
import { claim, named, reportCommands } from './report.ts';

// What a program elsewhere says about the jobs that it runs. Its heartbeats are no entries of the journal.

const LONGEST_LINE = 8_192;

const wait = (most: number) => z.number().min(0).max(most).default(0);

const CLAIMS: Waits = {
  events: ['job.queued', 'job.retrying'],
  idle: ({ items }) => Array.isArray(items) && items.length === 0,
  next: ({ nextAt }) => nextAt,
};
/** What was told with the first look is not told again. */
const HEARTBEATS: Waits = {
  events: ['job.cancelling'],
  idle: ({ stop }) => stop === null,
  again: ({ id = null, claim: token = null }) => ({ id, claim: token }),
};

const jobClaim = command({
  name: 'job.claim',
  summary: 'Claim due jobs of remote runbooks, as a program that runs them.',
  args: z.object({
    capabilities: z.array(z.string().min(1).max(63)).min(1).max(20).describe('What the program can do'),
    max: z.int().min(1).max(50).default(1).describe('Jobs at most'),
    wait: wait(30).describe('Seconds to wait for one where there is none; over REST'),
  }),
  positional: ['capabilities'],
  needs: 'job:work',
  risk: 'write',
  unrecorded: true,
  route: { method: 'post', path: '/v1/jobs/claim', waits: CLAIMS },
  examples: [{ text: 'job claim gpu', json: { command: 'job.claim', args: { capabilities: ['gpu'] } } }],
  async run(ctx, { capabilities, max }) {
    const mine = (runbook: Runbook): boolean =>
      runbook.executor.kind === 'remote' && may(ctx.who, runbook.permission);
    checkCapabilities(ctx, capabilities, mine);
    const rows = await claimRemote(ctx, capabilities, max, mine);
    const lines = rows.map((row) => `${row.ref} ${row.runbook}, claim ${claimOf(row)}`);
    const nextAt = rows.length > 0 ? undefined : await nextDue(ctx.tx, capabilities);
    return {
      text: lines.join('\n') || 'No job is due.',
      data: { items: rows.map((row) => workView(ctx, row)), nextAt: nextAt?.toISOString() ?? null },
    };
  },
});

/** @throws Refusal `forbidden` or `invalid_argument`: it would wait for ever, and nobody would know why. */
function checkCapabilities(ctx: Ctx, asked: readonly string[], mine: (runbook: Runbook) => boolean): void {
  if (ctx.who.kind === 'source') throw new Refusal('forbidden', 'a webhook’s sender runs no jobs');
  const remote = [...ctx.catalog.runbooks.values()].filter(({ executor }) => executor.kind === 'remote');
  const known = new Set(remote.map(({ capability }) => capability));
  const unheard = asked.find((capability) => !known.has(capability));
  if (unheard !== undefined)
    throw new Refusal(
      'invalid_argument',
      `No remote runbook asks for "${unheard}"; there are: ${[...known].join(', ') || 'none'}.`,
    );
  const wanted = remote.filter(({ capability }) => asked.includes(capability));
  if (wanted.some(mine)) return;
  const missing = [...new Set(wanted.map(({ permission }) => permission))].join(' or ');
  throw new Refusal('forbidden', `it needs the permission ${missing}`);
}

/** All that a program needs to run it, its arguments as they were approved. */
function workView(ctx: Ctx, row: JobRow): JsonObject {
  const { timeout = 0 } = ctx.catalog.runbooks.get(row.runbook) ?? {};
  return {
    id: row.ref,
    claim: claimOf(row),
    runbook: row.runbook,
    args: row.args,
    attempt: row.attempt,
    maxAttempts: row.maxAttempts,
    capability: row.capability,
    idempotencyKey: outboundKey(ctx.workspace, row),
    cause: row.ref,
    requester: row.requester,
    timeout,
    leaseUntil: row.leaseUntil?.toISOString() ?? null,
    heartbeatEvery: HEARTBEAT,
  };
}

const jobHeartbeat = command({
  name: 'job.heartbeat',
  summary: 'Keep a claim, with how far the job has come and what it logged; tells whether to stop.',
  args: z.object({
    id: ref('The job'),
    claim,
    progress: z
      .strictObject({ percent: z.number().min(0).max(100).optional(), text: z.string().max(500).optional() })
      .optional()
      .meta({ kind: 'json' })
      .describe('How far it has come: percent, text'),
    lines: z
      .array(
        z.strictObject({
          stream: z.enum(['out', 'err', 'info']).default('out'),
          line: z.string().max(LONGEST_LINE),
        }),
      )
      .max(500)
      .default([])
      .meta({ kind: 'json' })
      .describe('Lines for its log: stream (out, err or info) and line'),
    wait: wait(10).describe('Seconds to wait for the word to stop; over REST'),
  }),
  positional: ['id', 'claim'],
  needs: 'job:work',
  risk: 'write',
  unrecorded: true,
  route: { method: 'post', path: '/v1/jobs/{id}/heartbeat', waits: HEARTBEATS },
  examples: [
    { text: 'job heartbeat JOB-5 1', json: { command: 'job.heartbeat', args: { id: 'JOB-5', claim: '1' } } },
  ],
  async run(ctx, { progress, lines, ...args }) {
    const { tx } = ctx;
    const row = await claimedJob(tx, named(ctx, args));
    const runbook = ctx.catalog.runbooks.get(row.runbook);
    const met = runbook && (await boundMet(tx, row, runbook, lines.length));
    if (met) {
      const receipt = receiptOf(tx, row, ctx.who.name, met.bound, null);
      const ended = await endClaim(tx, row, runbook, { kind: stopKind(met.failure), ...met }, [receipt]);
      return { text: `Stop: ${met.reason}.`, data: standing(ended, met.bound) };
    }
    await addLines(
      tx,
      row.ref,
      lines.map((each) => ({ ...each, at: tx.now })),
    );
    const noted = progress ? await noteProgress(tx, row, progressed(progress)) : row;
    await tellNews(tx, noted);
    await renew(tx, [noted]);
    const kept = (await tx.get(jobs, { id: row.id })) ?? noted;
    const stop = kept.cancelRequested ? 'cancelled' : null;
    return {
      text: stop ? `Stop: ${row.ref} was cancelled.` : `${row.ref} is yours.`,
      data: standing(kept, stop),
    };
  },
});

const stopKind = (failure: 'timeout' | 'refused') => (failure === 'timeout' ? 'retry' : 'fail');
const progressed = ({ percent, text }: { percent?: number | undefined; text?: string | undefined }) => ({
  ...(percent !== undefined && { percent }),
  ...(text !== undefined && { text }),
});

/** `stop`: why to stop at once, and then say `job fail`; null: go on. */
const standing = (
  { ref: id, state, leaseUntil, cancelRequested }: JobRow,
  stop: string | null,
): JsonObject => ({
  id,
  state,
  cancelRequested,
  stop,
  leaseUntil: leaseUntil?.toISOString() ?? null,
});

export const remoteCommands = [jobClaim, jobHeartbeat, ...reportCommands] as const;
