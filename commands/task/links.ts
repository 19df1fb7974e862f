import type { Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { dependencies, tasks, type TaskRow } from '../../src/domain/task.ts';

/** What bounds a walk: how much one task may wait for, and how many tasks are looked at before giving up. */
export const MOST_DEPENDENCIES = 100;
const MOST_VISITED = 10_000;
const BATCH = 100;

/** Refs that a task waits for. */
export async function dependsOn(ctx: Ctx, task: string): Promise<string[]> {
  const rows = await ctx.tx.find(dependencies, {
    where: { task },
    orderBy: [{ column: 'dependsOn' }],
    limit: MOST_DEPENDENCIES,
  });
  return rows.map((row) => row.dependsOn);
}

/** Refs that wait for a task; the first 100. */
export async function neededBy(ctx: Ctx, task: string): Promise<string[]> {
  const rows = await ctx.tx.find(dependencies, {
    where: { dependsOn: task },
    orderBy: [{ column: 'task' }],
    limit: 100,
  });
  return rows.map((row) => row.task);
}

/** The tasks that this one waits for and that are not done. */
export async function openDependencies(ctx: Ctx, task: string): Promise<TaskRow[]> {
  const refs = await dependsOn(ctx, task);
  if (refs.length === 0) return [];
  const rows = await ctx.tx.find(tasks, { where: { ref: { in: refs } }, limit: refs.length });
  return rows.filter((row) => row.state !== 'done');
}

/**
 * Whether `from` waits for `target`, through others or itself: breadth first, a batch of tasks per query.
 * @throws Refusal `conflict` when so many tasks hang together that the answer would take too long.
 */
export async function reaches(ctx: Ctx, from: string, target: string): Promise<boolean> {
  const seen = new Set([from]);
  for (let front = [from]; front.length > 0; ) {
    if (seen.has(target)) return true;
    if (seen.size > MOST_VISITED)
      throw new Refusal(
        'conflict',
        `More than ${MOST_VISITED} tasks hang on ${from}; a cycle cannot be ruled out.`,
      );
    const batch = front.slice(0, BATCH);
    const rows = await ctx.tx.find(dependencies, {
      where: { task: { in: batch } },
      limit: BATCH * MOST_DEPENDENCIES,
    });
    const found = [...new Set(rows.map((row) => row.dependsOn))].filter((ref) => !seen.has(ref));
    for (const ref of found) seen.add(ref);
    front = [...front.slice(BATCH), ...found];
  }
  return seen.has(target);
}
