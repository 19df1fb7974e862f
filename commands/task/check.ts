import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { ChecklistItem, TaskRow } from '../../src/domain/task.ts';
import { line, ref } from '../shared/fields.ts';
import { changeTask, taskReply, taskToChange } from './view.ts';

const MOST_ITEMS = 100;

export const taskCheck = command({
  name: 'task.check',
  summary: 'Tick an item of a task’s checklist, or add one.',
  args: z.object({
    id: ref('The task'),
    item: z.int().min(1).max(MOST_ITEMS).optional().describe('Which item, counted from 1'),
    add: line('A new item', 200).optional(),
    undo: z.boolean().default(false).describe('Take the tick away again'),
  }),
  positional: ['id', 'item'],
  needs: 'task:edit',
  risk: 'write',
  examples: [
    { text: 'task check TSK-2 1', json: { command: 'task.check', args: { id: 'TSK-2', item: 1 } } },
    {
      text: 'task check TSK-1 --add "write test"',
      json: { command: 'task.check', args: { id: 'TSK-1', add: 'write test' } },
    },
  ],
  async run(ctx, { id, item, add, undo }) {
    if ((item === undefined) === (add === undefined))
      throw new Refusal('invalid_argument', 'Give the number of an item, or --add with a new one.');
    const row = await taskToChange(ctx, id);
    const number = item ?? row.checklist.length + 1;
    const checklist = add === undefined ? ticked(row, number, !undo) : extended(row, add);
    const changed = await changeTask(ctx, row, { checklist });
    const touched = checklist[number - 1] ?? { text: '', done: false };
    await ctx.emit('task.checked', row.ref, { item: number, ...touched, added: add !== undefined });
    const open = checklist.filter((entry) => !entry.done).length;
    const text = `${row.ref} ${touched.done ? '☑' : '☐'} ${number}. ${touched.text} (${open} of ${checklist.length} open)`;
    return taskReply(text, changed);
  },
});

function ticked(row: TaskRow, number: number, done: boolean): ChecklistItem[] {
  if (number > row.checklist.length)
    throw new Refusal(
      'invalid_argument',
      `${row.ref} has ${row.checklist.length} checklist item(s), so none ${number}.`,
    );
  return row.checklist.map((entry, i) => (i === number - 1 ? { ...entry, done } : entry));
}

function extended(row: TaskRow, text: string): ChecklistItem[] {
  if (row.checklist.length >= MOST_ITEMS)
    throw new Refusal('conflict', `${row.ref} already has ${MOST_ITEMS} checklist items, which is the most.`);
  return [...row.checklist, { text, done: false }];
}
