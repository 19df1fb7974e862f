import { z } from 'zod';
import { command } from '../src/core/command.ts';
import { breakers, CLOSED, type BreakerRow } from '../src/domain/breaker.ts';
import { Refusal } from '../src/domain/errors.ts';
import type { JsonObject } from '../src/domain/json.ts';
import { unknown } from './shared/people.ts';

const breakerList = command({
  name: 'breaker.list',
  summary: 'List the destinations that runs failed to reach, and whether they are held off.',
  args: z.object({}),
  needs: 'breaker:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/breakers' },
  examples: [{ text: 'breaker list', json: { command: 'breaker.list', args: {} } }],
  async run(ctx) {
    const rows = await ctx.tx.find(breakers, { orderBy: [{ column: 'id' }] });
    const text = rows.map(breakerLine).join('\n') || 'No destination has failed so far.';
    return { text, data: { items: rows.map(breakerView) } };
  },
});

const breakerReset = command({
  name: 'breaker.reset',
  summary: 'Close the breaker of a destination that is known to be back.',
  args: z.object({ id: z.string().min(1).max(300).describe('The destination, as host:port') }),
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
        'breaker',
        id,
        known.map((each) => each.id),
      );
    }
    if (row.state === 'closed' && row.failures === 0)
      throw new Refusal('conflict', `The breaker of ${id} is closed already.`);
    const { state, failures } = row;
    const closed = await ctx.tx.update(breakers, row, { ...CLOSED, changedAt: ctx.now });
    await ctx.emit('breaker.reset', id, { from: state, failures });
    return { text: `The breaker of ${id} is closed.`, data: breakerView(closed) };
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
