import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { comments } from '../../src/domain/task.ts';
import { body, ref } from '../shared/fields.ts';
import { findTask } from './view.ts';

export const taskComment = command({
  name: 'task.comment',
  summary: 'Say something about a task.',
  args: z.object({ id: ref('The task'), body: body('What to say').trim().min(1) }),
  positional: ['id', 'body'],
  needs: 'task:comment',
  risk: 'write',
  examples: [
    {
      text: 'task comment TSK-1 "the log shows a time-out"',
      json: { command: 'task.comment', args: { id: 'TSK-1', body: 'the log shows a time-out' } },
    },
  ],
  async run(ctx, { id, body: said }) {
    const { ref: task } = await findTask(ctx, id);
    await ctx.tx.insert(comments, { id: ctx.tx.id(), task, author: ctx.who.name, body: said, at: ctx.now });
    await ctx.emit('task.commented', task, { body: said });
    return {
      text: `Noted on ${task}.`,
      data: { task, author: ctx.who.name, body: said, at: ctx.now.toISOString() },
    };
  },
});
