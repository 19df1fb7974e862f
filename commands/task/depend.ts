import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { dependencies, type TaskRow } from '../../src/domain/task.ts';
import { ref } from '../shared/fields.ts';
import { MOST_DEPENDENCIES, reaches } from './links.ts';
import { changeTask, findTask, taskReply, taskToChange } from './view.ts';

export const taskDepend = command({
  name: 'task.depend',
  summary: 'Make a task wait for another, or no longer.',
  args: z.object({
    id: ref('The task that waits'),
    on: ref('The task that has to be done first'),
    remove: z.boolean().default(false).describe('It waits no longer'),
  }),
  positional: ['id', 'on'],
  needs: 'task:edit',
  risk: 'write',
  examples: [
    { text: 'task depend TSK-1 TSK-2', json: { command: 'task.depend', args: { id: 'TSK-1', on: 'TSK-2' } } },
    {
      text: 'task depend TSK-3 TSK-2 --remove',
      json: { command: 'task.depend', args: { id: 'TSK-3', on: 'TSK-2', remove: true } },
    },
  ],
  async run(ctx, { id, on, remove }) {
    const row = await taskToChange(ctx, id);
    await (remove ? dropLink(ctx, row, on) : addLink(ctx, row, on));
    // The waiting task gets a new version, so that a move decided meanwhile on the old links is refused.
    const changed = await changeTask(ctx, row, {});
    await ctx.emit('task.depended', row.ref, { on, removed: remove });
    return taskReply(
      remove ? `${row.ref} no longer waits for ${on}.` : `${row.ref} waits for ${on}.`,
      changed,
    );
  },
});

async function addLink(ctx: Ctx, row: TaskRow, on: string): Promise<void> {
  if (on === row.ref) throw new Refusal('conflict', `${on} cannot wait for itself.`);
  await findTask(ctx, on);
  if (await ctx.tx.get(dependencies, { task: row.ref, dependsOn: on }))
    throw new Refusal('conflict', `${row.ref} already waits for ${on}.`);
  if ((await ctx.tx.count(dependencies, { task: row.ref })) >= MOST_DEPENDENCIES)
    throw new Refusal(
      'conflict',
      `${row.ref} already waits for ${MOST_DEPENDENCIES} tasks, which is the most.`,
    );
  if (await reaches(ctx, on, row.ref))
    throw new Refusal('conflict', `${on} already waits for ${row.ref}, so this would be a circle.`);
  await ctx.tx.insert(dependencies, { id: ctx.tx.id(), task: row.ref, dependsOn: on });
}

async function dropLink(ctx: Ctx, row: TaskRow, on: string): Promise<void> {
  const removed = await ctx.tx.remove(dependencies, { task: row.ref, dependsOn: on });
  if (removed === 0) throw new Refusal('conflict', `${row.ref} does not wait for ${on}.`);
}
