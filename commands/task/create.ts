import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { MOST_SHOWN } from '../../src/core/form.ts';
import { clip } from '../../src/domain/clip.ts';
import { PRIORITIES, tasks } from '../../src/domain/task.ts';
import { body, date, line, principal } from '../shared/fields.ts';
import { actor } from '../shared/people.ts';
import { taskLine, taskReply } from './view.ts';

/** Characters. */
const MOST_TITLE = 200;

export const labelList = z.array(line('A label', 50)).max(20);

export const taskCreate = command({
  name: 'task.create',
  summary: 'Open a task.',
  args: z.object({
    title: line('What is to be done, in one line', MOST_TITLE),
    description: body('More about it').default(''),
    priority: z.enum(PRIORITIES).default('P2').describe('How urgent it is; P0 is the most urgent'),
    owner: principal('Who does it').optional(),
    labels: labelList.default([]).describe('Labels to find it by'),
    due: date('When it has to be done', 'end').optional(),
  }),
  positional: ['title'],
  needs: 'task:create',
  risk: 'write',
  route: { method: 'post', path: '/v1/tasks', status: 201 },
  examples: [
    {
      text: 'task create "fix login" --priority P0 --owner @ana',
      json: { command: 'task.create', args: { title: 'fix login', priority: 'P0', owner: 'ana' } },
      says: 'please open an urgent task for Ana to fix login',
    },
    {
      text: 'task create "Write the guide" --due 2026-11-27T17:00:00Z',
      json: { command: 'task.create', args: { title: 'Write the guide', due: '2026-11-27T17:00:00.000Z' } },
    },
    {
      text: 'task create "Renew the certificate" --labels ops --labels tls',
      json: { command: 'task.create', args: { title: 'Renew the certificate', labels: ['ops', 'tls'] } },
    },
  ],
  fromMessage: {
    id: 'task_from_message',
    title: 'Make a task of it',
    args({ text, link }) {
      const first = text.split('\n').find((one) => one.trim() !== '');
      const more = clip(text.trim(), MOST_SHOWN - link.length - 2);
      return {
        ...(first !== undefined && { title: clip(first.replace(/\s+/g, ' ').trim(), MOST_TITLE) }),
        description: [more, link].filter((part) => part !== '').join('\n\n'),
      };
    },
  },
  async run(ctx, { title, description, priority, owner, labels, due }) {
    if (owner !== undefined) await actor(ctx, owner);
    const ref = `TSK-${await ctx.tx.next('TSK')}`;
    const row = await ctx.tx.insert(tasks, {
      id: ctx.tx.id(),
      ref,
      title,
      description,
      state: 'queued',
      blockedFrom: null,
      blockedReason: null,
      priority,
      owner: owner ?? null,
      labels: [...new Set(labels)],
      checklist: [],
      due: due === undefined ? null : new Date(due),
      createdBy: ctx.who.name,
      createdAt: ctx.now,
      updatedAt: ctx.now,
      archived: false,
    });
    await ctx.emit('task.created', ref, {
      title,
      state: row.state,
      priority,
      owner: row.owner,
      labels: row.labels,
    });
    return taskReply(`Opened ${taskLine(row)}`, row);
  },
});
