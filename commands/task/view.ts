import type { Ctx } from '../../src/core/command.ts';
import type { Reply } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { tasks, type TaskRow } from '../../src/domain/task.ts';
import { checkHeld } from '../shared/held.ts';

/** The one JSON form of a task, so that the ETags of all commands agree. Instants are RFC 3339 in UTC. */
export function taskView(row: TaskRow): JsonObject {
  return {
    id: row.ref,
    version: row.version,
    title: row.title,
    description: row.description,
    state: row.state,
    blockedFrom: row.blockedFrom,
    blockedReason: row.blockedReason,
    priority: row.priority,
    owner: row.owner,
    labels: row.labels,
    checklist: row.checklist.map(({ text, done }) => ({ text, done })),
    due: row.due?.toISOString() ?? null,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** One line: `TSK-12 [P0 queued] Fix login · ana · due 2026-11-27`. */
export function taskLine(row: TaskRow): string {
  const due = row.due && `due ${row.due.toISOString().slice(0, 10)}`;
  return [`${row.ref} [${row.priority} ${row.state}] ${row.title}`, row.owner, due]
    .filter(Boolean)
    .join(' · ');
}

export const taskReply = (text: string, row: TaskRow): Reply => ({ text, data: taskView(row) });

/** @throws Refusal `not_found`. */
export async function findTask(ctx: Ctx, id: string): Promise<TaskRow> {
  const row = await ctx.tx.get(tasks, { ref: id });
  if (row === undefined) throw new Refusal('not_found', `There is no task ${id}.`);
  return row;
}

/** The task to be changed, if it is still what the sender holds. */
export async function taskToChange(ctx: Ctx, id: string): Promise<TaskRow> {
  const row = await findTask(ctx, id);
  checkHeld(ctx, row.ref, taskView(row));
  return row;
}

/** Writes the change with the instant of the transaction. */
export function changeTask(
  ctx: Ctx,
  row: TaskRow,
  patch: Partial<Omit<TaskRow, 'id' | 'version'>>,
): Promise<TaskRow> {
  return ctx.tx.update(tasks, row, { ...patch, updatedAt: ctx.now });
}
