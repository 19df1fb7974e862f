import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { line, ref } from '../shared/fields.ts';
import { changeTask, taskReply, taskToChange } from './view.ts';

export const taskBlock = command({
  name: 'task.block',
  summary: 'Say that a task cannot go on, and why.',
  args: z.object({ id: ref('The task'), reason: line('What it waits for', 500) }),
  positional: ['id', 'reason'],
  needs: 'task:move',
  risk: 'write',
  examples: [
    {
      text: 'task block TSK-1 --reason "waiting for the vendor"',
      json: { command: 'task.block', args: { id: 'TSK-1', reason: 'waiting for the vendor' } },
    },
  ],
  async run(ctx, { id, reason }) {
    const row = await taskToChange(ctx, id);
    if (row.state === 'done') throw new Refusal('conflict', `${row.ref} is done, so nothing can block it.`);
    if (row.state === 'blocked')
      throw new Refusal(
        'conflict',
        `${row.ref} is already blocked: ${row.blockedReason ?? 'no reason given'}.`,
      );
    const blocked = await changeTask(ctx, row, {
      state: 'blocked',
      blockedFrom: row.state,
      blockedReason: reason,
    });
    await ctx.emit('task.blocked', row.ref, { from: row.state, reason });
    return taskReply(`${row.ref} is blocked: ${reason}`, blocked);
  },
});

export const taskUnblock = command({
  name: 'task.unblock',
  summary: 'Let a blocked task go on where it was.',
  args: z.object({ id: ref('The task') }),
  positional: ['id'],
  needs: 'task:move',
  risk: 'write',
  examples: [{ text: 'task unblock TSK-4', json: { command: 'task.unblock', args: { id: 'TSK-4' } } }],
  async run(ctx, { id }) {
    const row = await taskToChange(ctx, id);
    if (row.state !== 'blocked') throw new Refusal('conflict', `${row.ref} is ${row.state}, not blocked.`);
    const to = row.blockedFrom ?? 'queued';
    const open = await changeTask(ctx, row, { state: to, blockedFrom: null, blockedReason: null });
    await ctx.emit('task.unblocked', row.ref, { to });
    return taskReply(`${row.ref} goes on: ${to}.`, open);
  },
});
