import { z } from 'zod';
import { command } from '../src/core/command.ts';
import { wakeHeldOff } from '../src/core/jobs/waking.ts';
import { breakers, type BreakerRow } from '../src/domain/breaker.ts';
import type { JsonObject } from '../src/domain/json.ts';
import { limit } from './shared/fields.ts';
import { unknown } from './shared/people.ts';

const destination = z.string().min(1).max(300);

const breakerList = command({
  name: 'breaker.list',
  summary: 'List the destinations that runs failed to reach, and whether they are held off.',
  args: z.object({
    limit: limit(500, 100),
    after: destination.optional().describe('Only those after this one, as host:port'),
  }),
  needs: 'breaker:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/breakers' },
  examples: [{ text: 'breaker list', json: { command: 'breaker.list', args: {} } }],
  async run(ctx, { limit: most, after }) {
    const rows = await ctx.tx.find(breakers, {
      where: { ...(after !== undefined && { id: { above: after } }) },
      orderBy: [{ column: 'id' }],
      limit: most,
    });
    const next = rows.length === most ? (rows.at(-1)?.id ?? null) : null;
    const more = next === null ? [] : [`For more: breaker list --after ${next}`];
    const text = [...rows.map(breakerLine), ...more].join('\n') || 'No destination fails.';
    return { text, data: { items: rows.map(breakerView), next } };
  },
});

const breakerReset = command({
  name: 'breaker.reset',
  summary: 'Close the breaker of a destination that is known to be back; what it held off goes on.',
  args: z.object({ id: destination.describe('The destination, as host:port') }),
  positional: ['id'],
  needs: 'breaker:reset',
  risk: 'write',
  route: { method: 'post', path: '/v1/breakers/{id}/reset' },
  examples: [
    {
      text: 'breaker reset status.example.test:443',
      json: { command: 'breaker.reset', args: { id: 'status.example.test:443' } },
    },
  ],
  async run(ctx, { id }) {
    const row = await ctx.tx.get(breakers, { id });
    if (!row) {
      const known = await ctx.tx.find(breakers);
      throw unknown(
        'failing destination',
        id,
        known.map((each) => each.id),
      );
    }
    const { state, failures } = row;
    await ctx.tx.remove(breakers, { id });
    await wakeHeldOff(ctx.tx, id);
    await ctx.emit('breaker.reset', id, { from: state, failures });
    const closed = { state: 'closed', failures: 0, retryAt: null, reason: null } as const;
    return {
      text: `The breaker of ${id} is closed.`,
      data: breakerView({ ...row, ...closed, changedAt: ctx.now }),
    };
  },
});

export const breakerCommands = [breakerList, breakerReset] as const;

/** `status.example.test:443 [open] 7 failures in a row, next try 2026-11-20T12:00:30.000Z: status 503`. */
function breakerLine({ id, state, failures, retryAt, reason }: BreakerRow): string {
  const next = retryAt && state === 'open' ? `, next try ${retryAt.toISOString()}` : '';
  const why = reason === null ? '' : `: ${reason}`;
  return `${id} [${state}] ${failures} ${failures === 1 ? 'failure' : 'failures'} in a row${next}${why}`;
}

function breakerView({ id, version, state, failures, retryAt, reason, changedAt }: BreakerRow): JsonObject {
  return {
    id,
    version,
    state,
    failures,
    retryAt: retryAt?.toISOString() ?? null,
    reason,
    changedAt: changedAt.toISOString(),
  };
}
