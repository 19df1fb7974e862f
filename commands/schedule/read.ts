import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { schedules } from '../../src/domain/schedule.ts';
import { ref } from '../shared/fields.ts';
import { coming, findSchedule, local, MOST, scheduleLine, scheduleView } from './view.ts';

export const scheduleList = command({
  name: 'schedule.list',
  summary: 'List the schedules by name.',
  args: z.object({ paused: z.boolean().optional().describe('Only those that are paused, or are not') }),
  needs: 'schedule:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/schedules' },
  examples: [{ text: 'schedule list', json: { command: 'schedule.list', args: {} } }],
  async run(ctx, { paused }) {
    const where = paused === undefined ? {} : { paused };
    const rows = await ctx.tx.find(schedules, { where, orderBy: [{ column: 'name' }], limit: MOST });
    const text = rows.map((row) => scheduleLine(ctx, row)).join('\n') || 'No schedules.';
    return { text, data: { items: rows.map(scheduleView) } };
  },
});

export const scheduleShow = command({
  name: 'schedule.show',
  summary: 'Show a schedule and when it runs next.',
  args: z.object({ id: ref('The schedule, by id or name') }),
  positional: ['id'],
  needs: 'schedule:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/schedules/{id}' },
  examples: [{ text: 'schedule show SCH-1', json: { command: 'schedule.show', args: { id: 'SCH-1' } } }],
  async run(ctx, { id }) {
    const row = await findSchedule(ctx, id);
    const next = coming(row);
    return {
      text: [scheduleLine(ctx, row), ...next.map((time) => `  ${local(time, row.zone)}`)].join('\n'),
      data: { ...scheduleView(row), next: next.map((time) => time.toISOString()) },
    };
  },
});
