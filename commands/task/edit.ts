import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Json } from '../../src/domain/json.ts';
import { PRIORITIES } from '../../src/domain/task.ts';
import { body, date, line, ref } from '../shared/fields.ts';
import { labelList } from './create.ts';
import { changeTask, taskReply, taskToChange, taskView } from './view.ts';

export const taskEdit = command({
  name: 'task.edit',
  summary: 'Change what a task says.',
  args: z.object({
    id: ref('The task'),
    title: line('What is to be done, in one line', 200).optional(),
    description: body('More about it').optional(),
    priority: z.enum(PRIORITIES).optional().describe('How urgent it is; P0 is the most urgent'),
    labels: labelList.optional().describe('All its labels from now on'),
    due: date('When it has to be done', 'end').nullable().optional(),
  }),
  positional: ['id'],
  needs: 'task:edit',
  risk: 'write',
  route: { method: 'patch', path: '/v1/tasks/{id}', ifMatch: 'required' },
  examples: [
    {
      text: 'task edit TSK-1 --title "Fix the login page" --priority P1',
      json: { command: 'task.edit', args: { id: 'TSK-1', title: 'Fix the login page', priority: 'P1' } },
    },
    {
      text: 'task edit TSK-1 --labels ops',
      json: { command: 'task.edit', args: { id: 'TSK-1', labels: ['ops'] } },
    },
  ],
  async run(ctx, { id, due, labels, ...plain }) {
    const row = await taskToChange(ctx, id);
    const patch = {
      ...Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined)),
      ...(labels && { labels: [...new Set(labels)] }),
      ...(due !== undefined && { due: due === null ? null : new Date(due) }),
    };
    const fields = Object.keys(patch);
    if (fields.length === 0)
      throw new Refusal(
        'invalid_argument',
        'Say what to change: --title, --description, --priority, --labels or --due.',
      );
    const changed = await changeTask(ctx, row, patch);
    await ctx.emit('task.edited', row.ref, {
      from: pick(taskView(row), fields),
      to: pick(taskView(changed), fields),
    });
    return taskReply(`${row.ref}: changed ${fields.join(', ')}.`, changed);
  },
});

function pick(view: Readonly<Record<string, Json>>, fields: readonly string[]): Record<string, Json> {
  return Object.fromEntries(fields.map((name) => [name, view[name] ?? null]));
}
