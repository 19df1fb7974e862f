import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { principal, ref } from '../shared/fields.ts';
import { actor } from '../shared/people.ts';
import { changeTask, taskReply, taskToChange } from './view.ts';

export const taskAssign = command({
  name: 'task.assign',
  summary: 'Give a task to somebody, or back to nobody.',
  args: z.object({
    id: ref('The task'),
    owner: principal('Who does it').optional(),
    clear: z.boolean().default(false).describe('Nobody does it any more'),
  }),
  positional: ['id', 'owner'],
  needs: 'task:assign',
  risk: 'write',
  examples: [
    {
      text: 'task assign TSK-1 @ana',
      json: { command: 'task.assign', args: { id: 'TSK-1', owner: 'ana' } },
      says: 'please assign tsk 1 to ana',
    },
    {
      text: 'task assign TSK-1 --clear',
      json: { command: 'task.assign', args: { id: 'TSK-1', clear: true } },
    },
  ],
  async run(ctx, { id, owner, clear }) {
    if ((owner === undefined) !== clear)
      throw new Refusal('invalid_argument', 'Name the new owner, or say --clear: `task assign TSK-1 ana`.');
    const row = await taskToChange(ctx, id);
    const to = owner === undefined ? null : (await actor(ctx, owner)).name;
    const changed = await changeTask(ctx, row, { owner: to });
    await ctx.emit('task.assigned', row.ref, { from: row.owner, to });
    return taskReply(
      to === null ? `${row.ref} belongs to nobody now.` : `${row.ref} belongs to ${to} now.`,
      changed,
    );
  },
});
