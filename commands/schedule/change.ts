import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { timesOf } from '../../src/core/cron.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { schedules, type ScheduleRow } from '../../src/domain/schedule.ts';
import { ref } from '../shared/fields.ts';
import { findSchedule, local, scheduleReply, scheduleView } from './view.ts';

const args = z.object({ id: ref('The schedule, by id or name') });

export const schedulePause = command({
  name: 'schedule.pause',
  summary: 'Pause a schedule: times that pass meanwhile are not made up for.',
  args,
  positional: ['id'],
  needs: 'schedule:update',
  risk: 'write',
  route: { method: 'post', path: '/v1/schedules/{id}/pause' },
  examples: [{ text: 'schedule pause SCH-1', json: { command: 'schedule.pause', args: { id: 'SCH-1' } } }],
  async run(ctx, { id }) {
    const row = await findSchedule(ctx, id);
    if (row.paused) throw new Refusal('conflict', `${row.ref} is paused already.`);
    const paused = await ctx.tx.update(schedules, row, { paused: true });
    await ctx.emit('schedule.paused', row.ref, { name: row.name });
    return scheduleReply(`${row.ref} (${row.name}) is paused.`, paused);
  },
});

export const scheduleResume = command({
  name: 'schedule.resume',
  summary: 'Let a paused schedule run again, from its next time on.',
  args,
  positional: ['id'],
  needs: 'schedule:update',
  risk: 'write',
  route: { method: 'post', path: '/v1/schedules/{id}/resume' },
  examples: [{ text: 'schedule resume SCH-2', json: { command: 'schedule.resume', args: { id: 'SCH-2' } } }],
  async run(ctx, { id }) {
    const row = await findSchedule(ctx, id);
    if (!row.paused) throw new Refusal('conflict', `${row.ref} is not paused.`);
    const nextAt = nextAfter(row, ctx.now);
    if (nextAt === undefined) throw new Refusal('conflict', `${row.ref} has no time left to run at.`);
    const resumed = await ctx.tx.update(schedules, row, { paused: false, nextAt });
    await ctx.emit('schedule.resumed', row.ref, { name: row.name, nextAt: nextAt.toISOString() });
    return scheduleReply(`${row.ref} (${row.name}) runs next at ${local(nextAt, row.zone)}.`, resumed);
  },
});

export const scheduleRemove = command({
  name: 'schedule.remove',
  summary: 'Remove a schedule; what it ran is not touched.',
  args,
  positional: ['id'],
  needs: 'schedule:remove',
  risk: 'write',
  route: { method: 'delete', path: '/v1/schedules/{id}' },
  examples: [{ text: 'schedule remove SCH-1', json: { command: 'schedule.remove', args: { id: 'SCH-1' } } }],
  async run(ctx, { id }) {
    const row = await findSchedule(ctx, id);
    await ctx.tx.remove(schedules, { id: row.id });
    await ctx.emit('schedule.removed', row.ref, { name: row.name });
    return { text: `Removed ${row.ref} (${row.name}).`, data: scheduleView(row) };
  },
});

function nextAfter({ cron, zone, nextAt }: ScheduleRow, now: Date): Date | undefined {
  if (cron !== null) return timesOf(cron, zone).after(now);
  return nextAt !== null && nextAt > now ? nextAt : undefined;
}
