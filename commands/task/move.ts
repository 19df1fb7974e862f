import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { checkMove, TASK_STATES, type TaskRow, type TaskState } from '../../src/domain/task.ts';
import { body, ref } from '../shared/fields.ts';
import { openDependencies } from './links.ts';
import { changeTask, taskReply, taskToChange } from './view.ts';

/** Work that has begun or is beyond; what it depends on has to be done. */
const BEGUN: readonly TaskState[] = ['in_progress', 'review', 'approved', 'merging', 'done'];

export const taskMove = command({
  name: 'task.move',
  summary: 'Move a task along its line.',
  args: z.object({
    id: ref('The task'),
    to: z.enum(TASK_STATES).describe('The state it goes to'),
    note: body('Why, for the journal', 1_000).optional(),
  }),
  positional: ['id', 'to'],
  needs: 'task:move',
  risk: 'write',
  route: { method: 'post', path: '/v1/tasks/{id}/transition' },
  examples: [
    {
      text: 'task move TSK-1 in_progress',
      json: { command: 'task.move', args: { id: 'TSK-1', to: 'in_progress' } },
      says: 'please move tsk 1 to in progress',
    },
    {
      text: 'task move TSK-1 claimed --note "I take it"',
      json: { command: 'task.move', args: { id: 'TSK-1', to: 'claimed', note: 'I take it' } },
    },
  ],
  async run(ctx, { id, to, note }) {
    const row = await taskToChange(ctx, id);
    checkMove(row.state, to);
    await checkReady(ctx, row, to);
    // A claim without an owner is the mover's own.
    const claimed = to === 'claimed' && row.owner === null && ctx.who.kind !== 'source';
    const owner = claimed ? ctx.who.name : row.owner;
    const moved = await changeTask(ctx, row, { state: to, owner });
    const details = { from: row.state, to, ...(claimed && { owner }), ...(note !== undefined && { note }) };
    await ctx.emit('task.moved', row.ref, details);
    return taskReply(`${row.ref} went from ${row.state} to ${to}.`, moved);
  },
});

/** @throws Refusal `conflict` naming what is still to be done. */
async function checkReady(ctx: Ctx, row: TaskRow, to: TaskState): Promise<void> {
  const left = row.checklist.flatMap((item, i) => (item.done ? [] : [`${i + 1}. ${item.text}`]));
  if (to === 'done' && left.length > 0)
    throw new Refusal(
      'conflict',
      `${row.ref} has ${left.length} open checklist item(s): ${left.slice(0, 5).join('; ')}.`,
      {
        suggestions: [`task check ${row.ref} ${row.checklist.findIndex((item) => !item.done) + 1}`],
      },
    );
  if (!BEGUN.includes(to)) return;
  const open = await openDependencies(ctx, row.ref);
  if (open.length === 0) return;
  const named = open.slice(0, 5).map((task) => `${task.ref} (${task.state})`);
  throw new Refusal(
    'conflict',
    `${row.ref} has to wait for ${named.join(', ')}, so it cannot go to ${to} yet.`,
    {
      suggestions: [`task show ${row.ref}`],
    },
  );
}
