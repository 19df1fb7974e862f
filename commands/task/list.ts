import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import {
  OPEN_STATES,
  PRIORITIES,
  TASK_STATES,
  tasks,
  type Priority,
  type TaskRow,
  type TaskState,
} from '../../src/domain/task.ts';
import { limit, line, principal } from '../shared/fields.ts';
import { taskLine, taskView } from './view.ts';

/** Labels and text have no index: a page looks at this many tasks at most and says where to go on. */
const MOST_SCANNED = 2_000;
const CURSOR = /^(P[0-2])~([0-9A-Za-z-]{1,64})$/;

const args = z.object({
  state: z.enum(TASK_STATES).optional().describe('Only those in this state; all that are open unless told'),
  owner: principal('Only those of this person or agent; `me` for your own').optional(),
  priority: z.enum(PRIORITIES).optional().describe('Only those of this priority'),
  label: line('Only those with this label', 50).optional(),
  text: line('Only those whose title contains this, in any case', 200).optional(),
  limit: limit(200, 50),
  after: z.string().max(80).optional().describe('Where the page before ended: its `next`'),
});

/** Where a page begins: behind this task of this priority. */
interface Position {
  readonly priority: Priority;
  readonly id: string;
}

export const taskList = command({
  name: 'task.list',
  summary: 'List tasks, the most urgent and oldest first.',
  args,
  needs: 'task:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/tasks' },
  examples: [
    { text: 'task list', json: { command: 'task.list', args: {} }, says: 'show me the open tasks please' },
    {
      text: 'task list --state queued --owner @ana --limit 20',
      json: { command: 'task.list', args: { state: 'queued', owner: 'ana', limit: 20 } },
    },
  ],
  async run(ctx, given) {
    const { rows, next } = await page(ctx, given);
    const more = next === null ? [] : [`More: task list … --after ${next}`];
    const lines = rows.length === 0 && next === null ? ['No such tasks.'] : rows.map(taskLine);
    return { text: [...lines, ...more].join('\n'), data: { items: rows.map(taskView), next } };
  },
});

type Args = z.output<typeof args>;

async function page(ctx: Ctx, given: Args): Promise<{ rows: TaskRow[]; next: string | null }> {
  const wanted = matcher(given);
  const rows: TaskRow[] = [];
  let at = given.after === undefined ? undefined : readCursor(given.after, given.priority);
  for (let scanned = 0; ; ) {
    // One more than is wanted tells whether there is a next page.
    const size = wanted === undefined ? given.limit + 1 - rows.length : 200;
    const batch = await inOrder(ctx, given, at, size);
    for (const row of batch) {
      if (wanted !== undefined && !wanted(row)) continue;
      if (rows.length === given.limit) return { rows, next: cursorOf(rows.at(-1)) };
      rows.push(row);
    }
    scanned += batch.length;
    const last = batch.at(-1);
    if (last === undefined || batch.length < size) return { rows, next: null };
    if (scanned >= MOST_SCANNED) return { rows, next: cursorOf(last) };
    at = { priority: last.priority, id: last.id };
  }
}

/**
 * The next tasks by priority, then age (ids are UUIDv7): the best of each state, merged. Each read walks one range of
 * the index (state, priority, id), or with an owner (owner, state, priority, id), however many tasks there are.
 */
async function inOrder(ctx: Ctx, given: Args, at: Position | undefined, size: number): Promise<TaskRow[]> {
  const states: readonly TaskState[] = given.state === undefined ? OPEN_STATES : [given.state];
  const owner = given.owner === 'me' ? ctx.who.name : given.owner;
  const found: TaskRow[] = [];
  for (const range of rangesOf(given.priority, at)) {
    const best: TaskRow[] = [];
    for (const state of states) {
      const where = { ...(owner !== undefined && { owner }), state, archived: false, ...range };
      const orderBy = [{ column: 'priority' }, { column: 'id' }] as const;
      best.push(...(await ctx.tx.find(tasks, { where, orderBy, limit: size - found.length })));
    }
    best.sort((a, b) => (`${a.priority}${a.id}` < `${b.priority}${b.id}` ? -1 : 1));
    found.push(...best.slice(0, size - found.length));
    if (found.length >= size) break;
  }
  return found;
}

/** What is left behind a position: the rest of its priority, then those below it. */
function rangesOf(only: Priority | undefined, at: Position | undefined) {
  // A range, as told that the priority is equal SQLite may walk all tasks by id instead of this index.
  if (at === undefined) return [only === undefined ? {} : { priority: { atLeast: only, atMost: only } }];
  const rest = { priority: at.priority, id: { above: at.id } };
  return only === undefined ? [rest, { priority: { above: at.priority } }] : [rest];
}

function matcher({ label, text }: Args): ((row: TaskRow) => boolean) | undefined {
  if (label === undefined && text === undefined) return undefined;
  const part = text?.toLowerCase() ?? '';
  return (row) =>
    (label === undefined || row.labels.includes(label)) &&
    (part === '' || row.title.toLowerCase().includes(part));
}

const cursorOf = (row: TaskRow | undefined): string | null => (row ? `${row.priority}~${row.id}` : null);

function readCursor(text: string, only: Priority | undefined): Position {
  const [, priority, id] = CURSOR.exec(text) ?? [];
  if (priority === undefined || id === undefined || (only !== undefined && only !== priority))
    throw new Refusal(
      'invalid_argument',
      'after: expected the `next` of the page before, with the same filters.',
    );
  return { priority: priority as Priority, id };
}
