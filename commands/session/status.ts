import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { workersAlive } from '../../src/core/worker-leases.ts';
import { approvals } from '../../src/domain/approval.ts';
import { jobs, type JobState } from '../../src/domain/job.ts';
import { isObject, type Json, type JsonObject } from '../../src/domain/json.ts';
import { may } from '../../src/domain/permission.ts';
import { OPEN_STATES, tasks } from '../../src/domain/task.ts';

/** States in which something is going on or stuck; what is over is not counted, as it only grows. */
const JOB_STATES: readonly JobState[] = ['waiting', 'queued', 'assigned', 'running'];

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
    const reach = sandbox && (sandbox.allow.join(', ') || 'nothing');
    return {
      text:
        [...(sandbox ? [`sandbox: runs reach ${reach}`] : []), ...channelLines(health), ...lines].join(
          '\n',
        ) || 'Everything is quiet.',
      data: { ...health, sandbox: sandbox !== undefined, counts },
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

async function each<S extends string>(states: readonly S[], of: (state: S) => Promise<number>) {
  const counts: Record<string, number> = {};
  for (const state of states) counts[state] = await of(state);
  return counts;
}

function inWords(states: Readonly<Record<string, number>>): string {
  const some = Object.entries(states).filter(([, n]) => n > 0);
  return some.map(([state, n]) => `${n} ${state}`).join(', ') || 'none';
}

/** `slack: deaf (the token was revoked)`, for whatever channels the server reports. */
function channelLines(health: JsonObject): string[] {
  return Object.entries(asObject(health['channels'])).map(([name, value]) => {
    const { state, reason } = asObject(value);
    return `${name}: ${text(state)}${typeof reason === 'string' ? ` (${reason})` : ''}`;
  });
}

const text = (value: Json | undefined): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? null);

const asObject = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});
