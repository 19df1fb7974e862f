import { z } from 'zod';
import { command, type Ctx, type Waits } from '../../src/core/command.ts';
import { beat, stopDue } from '../../src/core/jobs/remote-beat.ts';
import { claimOf, HEARTBEAT } from '../../src/core/jobs/remote-claim.ts';
import { claimDue, claimRemote, remoteRunbooks, workDue } from '../../src/core/jobs/remote-work.ts';
import { outboundKey } from '../../src/core/jobs/receipts.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JobRow, Progress } from '../../src/domain/job.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { may } from '../../src/domain/permission.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { ref } from '../shared/fields.ts';
import { claim, named, reportCommands } from './report.ts';

// What a program elsewhere says about the jobs that it runs. Its heartbeats are no entries of the journal.

const LONGEST_LINE = 8_192;

const wait = (most: number) => z.number().min(0).max(most).default(0);

const CLAIMS: Waits = {
  idle: ({ items }) => Array.isArray(items) && items.length === 0,
  wakes: ({ event, details: { runbook } }, { capabilities }, catalog) =>
    (event === 'job.queued' || event === 'job.retrying') &&
    remoteRunbooks(catalog, textsIn(capabilities)).some(({ name }) => name === runbook),
  due: ({ tx, catalog }, { capabilities }) => claimDue(tx, remoteRunbooks(catalog, textsIn(capabilities))),
};
/** What was told with the first look is not told again. */
const HEARTBEATS: Waits = {
  idle: ({ stop }) => stop === null,
  wakes: ({ event, target }, { id }) => event.startsWith('job.') && target === id,
  due: ({ tx, catalog }, { id, claim: token }) => stopDue(tx, catalog, textIn(id), textIn(token)),
  again: ({ id = null, claim: token = null }) => ({ id, claim: token }),
};

// Arguments as they were sent: what is no text or no list of texts was refused by then.
const textIn = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const textsIn = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];

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
    const due =
      rows.length > 0
        ? undefined
        : await workDue(ctx.tx, remoteRunbooks(ctx.catalog, capabilities).filter(mine));
    // One that is due waits for room, and nobody knows how long.
    const nextAt = due && due > ctx.now ? due.toISOString() : null;
    return {
      text: lines.join('\n') || 'No job is due.',
      data: { items: rows.map((row) => workView(ctx, row)), nextAt },
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
  beats: true,
  route: { method: 'post', path: '/v1/jobs/{id}/heartbeat', waits: HEARTBEATS },
  examples: [
    { text: 'job heartbeat JOB-5 1', json: { command: 'job.heartbeat', args: { id: 'JOB-5', claim: '1' } } },
  ],
  async run(ctx, { progress, lines, ...args }) {
    const { tx, catalog } = ctx;
    const runbookOf = (name: string) => catalog.runbooks.get(name);
    const news = { progress: progress && definedOf(progress), lines };
    const { row, stop } = await beat(tx, named(ctx, args), runbookOf, news);
    const why = stop === 'cancelled' ? 'was cancelled' : (row.error ?? stop);
    return {
      text: stop === null ? `${row.ref} is yours.` : `Stop: ${row.ref} ${why}.`,
      data: standing(row, stop),
    };
  },
});

const definedOf = ({
  percent,
  text,
}: {
  percent?: number | undefined;
  text?: string | undefined;
}): Progress => ({
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
