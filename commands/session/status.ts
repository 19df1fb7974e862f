import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { mayRead } from '../../src/core/feed.ts';
import { OUTGOING } from '../../src/core/outgoing.ts';
import { wordOf } from '../../src/core/undelivered.ts';
import { workersAlive } from '../../src/core/worker-leases.ts';
import { approvals } from '../../src/domain/approval.ts';
import { jobs, type JobState } from '../../src/domain/job.ts';
import { isObject, type Json, type JsonObject } from '../../src/domain/json.ts';
import { may } from '../../src/domain/permission.ts';
import { outbox } from '../../src/domain/records.ts';
import { OPEN_STATES, tasks } from '../../src/domain/task.ts';

/** States in which something is going on or stuck; what is over is not counted, as it only grows. */
const JOB_STATES: readonly JobState[] = ['waiting', 'queued', 'assigned', 'running'];

/** How many of the messages that were given up last are named. */
const LATEST = 3;

export const status = command({
  name: 'status',
  summary: 'What is on, and how much is going on.',
  args: z.object({}),
  needs: 'none',
  risk: 'read',
  examples: [{ text: 'status', json: { command: 'status', args: {} } }],
  async run(ctx) {
    const health = ctx.health();
    const counts = await count(ctx);
    const lines = Object.entries(counts).map(([what, states]) => `${what}: ${inWords(states)}`);
    const { sandbox } = ctx.catalog;
    const messages = mayRead(ctx.who, 'message.dead') ? await countMessages(ctx) : undefined;
    const reach = sandbox && (sandbox.allow.join(', ') || 'nothing');
    return {
      text:
        [
          ...(sandbox ? [`sandbox: runs reach ${reach}`] : []),
          ...channelLines(health),
          ...lines,
          ...(messages ? [`messages: ${messages.line}`] : []),
        ].join('\n') || 'Everything is quiet.',
      data: {
        ...health,
        sandbox: sandbox !== undefined,
        counts,
        ...(messages && { messages: { dead: messages.dead, queued: messages.queued } }),
      },
    };
  },
});

/** Only what the caller may read. */
async function count(ctx: Ctx): Promise<Record<string, Record<string, number>>> {
  const { tx, who } = ctx;
  const counts: Record<string, Record<string, number>> = {};
  if (may(who, 'task:read')) counts['tasks'] = await each(OPEN_STATES, (state) => tx.count(tasks, { state }));
  if (may(who, 'job:read')) {
    counts['jobs'] = await each(JOB_STATES, (state) => tx.count(jobs, { state }));
    counts['workers'] = { alive: await workersAlive(tx) };
  }
  if (may(who, 'approval:read'))
    counts['approvals'] = await each(['pending'] as const, (state) => tx.count(approvals, { state }));
  return counts;
}

/** Outgoing messages: `2 given up (slack C123: is_archived; …), 1 queued`. */
async function countMessages({ tx }: Ctx): Promise<{ dead: number; queued: number; line: string }> {
  const queued = await tx.count(outbox, { state: 'queued' });
  const latest = await tx.find(outbox, {
    where: { state: 'dead' },
    orderBy: [{ column: 'id', descending: true }],
    limit: LATEST,
  });
  const counts =
    latest.length > 0 ? await each(OUTGOING, (channel) => tx.count(outbox, { state: 'dead', channel })) : {};
  const some = Object.entries(counts).filter(([, n]) => n > 0);
  const dead = some.reduce((sum, [, n]) => sum + n, 0);
  if (dead === 0) return { dead, queued, line: inWords({ queued }) };
  const perChannel = some.length > 1 ? some.map(([channel, n]) => `${channel} ${n}`) : [];
  const reasons = latest.map(
    ({ lane, error }) => `${lane.replace(':', ' ')}: ${wordOf(error ?? 'given up')}`,
  );
  const more = dead > latest.length ? ['…'] : [];
  const about = [...(perChannel.length > 0 ? [perChannel.join(', ')] : []), ...reasons, ...more].join('; ');
  const waiting = queued > 0 ? `, ${inWords({ queued })}` : '';
  return { dead, queued, line: `${dead} given up (${about})${waiting}` };
}

async function each<S extends string>(states: readonly S[], of: (state: S) => Promise<number>) {
  const counts: Record<string, number> = {};
  for (const state of states) counts[state] = await of(state);
  return counts;
}

function inWords(states: Readonly<Record<string, number>>): string {
  const some = Object.entries(states).filter(([, n]) => n > 0);
  return some.map(([state, n]) => `${n} ${state}`).join(', ') || 'none';
}

/** `slack: deaf (the token was revoked)`, for whatever channels the server reports; those that are deaf first. */
function channelLines(health: JsonObject): string[] {
  const channels = Object.entries(asObject(health['channels'])).map(
    ([name, value]) => [name, asObject(value)] as const,
  );
  const isDeaf = ([, { state }]: (typeof channels)[number]) => state === 'deaf';
  const sorted = [...channels.filter(isDeaf), ...channels.filter((channel) => !isDeaf(channel))];
  return sorted.map(([name, { state, reason }]) => {
    return `${name}: ${text(state)}${typeof reason === 'string' ? ` (${reason})` : ''}`;
  });
}

const text = (value: Json | undefined): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? null);

const asObject = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});
