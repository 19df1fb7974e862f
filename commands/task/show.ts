import { z } from 'zod';
import { command } from '../../src/core/command.ts';
import { comments, type TaskRow } from '../../src/domain/task.ts';
import { ref } from '../shared/fields.ts';
import { dependsOn, neededBy } from './links.ts';
import { findTask, taskLine, taskView } from './view.ts';

/** The last comments; the whole exchange is in the journal. */
const SHOWN = 20;

export const taskShow = command({
  name: 'task.show',
  summary: 'Show a task with its checklist, links and comments.',
  args: z.object({
    id: ref('The task'),
    full: z
      .boolean()
      .default(false)
      .describe('Links and comments in the data, too: `{ task, dependsOn, neededBy, comments }`'),
  }),
  positional: ['id'],
  needs: 'task:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/tasks/{id}' },
  examples: [
    {
      text: 'task show TSK-1',
      json: { command: 'task.show', args: { id: 'TSK-1' } },
      says: 'show me task tsk 1',
    },
    { text: 'task show TSK-1 --full', json: { command: 'task.show', args: { id: 'TSK-1', full: true } } },
  ],
  async run(ctx, { id, full }) {
    const row = await findTask(ctx, id);
    const waits = await dependsOn(ctx, row.ref);
    const holds = await neededBy(ctx, row.ref);
    const said = await ctx.tx.find(comments, {
      where: { task: row.ref },
      orderBy: [{ column: 'id', descending: true }],
      limit: SHOWN,
    });
    const exchange = said
      .toReversed()
      .map(({ author, body, at }) => ({ author, body, at: at.toISOString() }));
    const text = [
      ...describe(row),
      ...(waits.length > 0 ? [`waits for ${waits.join(', ')}`] : []),
      ...(holds.length > 0 ? [`needed by ${holds.join(', ')}`] : []),
      ...exchange.map(({ author, body, at }) => `${at} ${author}: ${body}`),
    ].join('\n');
    const task = taskView(row);
    return { text, data: full ? { task, dependsOn: waits, neededBy: holds, comments: exchange } : task };
  },
});

function describe(row: TaskRow): string[] {
  return [
    taskLine(row),
    ...(row.description === '' ? [] : [row.description]),
    ...(row.state === 'blocked' ? [`blocked: ${row.blockedReason ?? 'no reason given'}`] : []),
    ...(row.labels.length > 0 ? [`labels: ${row.labels.join(', ')}`] : []),
    ...row.checklist.map(({ text, done }, i) => `${done ? '☑' : '☐'} ${i + 1}. ${text}`),
    `opened by ${row.createdBy} on ${row.createdAt.toISOString()}`,
  ];
}
