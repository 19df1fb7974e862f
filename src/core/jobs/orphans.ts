import type { Catalog } from '../../domain/catalog.ts';
import { MINUTE } from '../../domain/clock.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import type { ReadTx, Tx } from '../store.ts';
import { assign } from './claiming.ts';
import { end } from './ending.ts';
import { obstacle } from './starting.ts';

/**
 * How long a job has to be due before its runbook counts as gone: while a new configuration is brought to one process
 * after another, some know it and others do not.
 */
const LEFT_FOR = 10 * MINUTE;

/** Jobs that nobody can start any more: workers leave alone what they do not know, unless it carries its plan. */
export function findOrphans(tx: ReadTx, { runbooks }: Catalog, limit: number): Promise<JobRow[]> {
  const long = { atMost: new Date(tx.now.getTime() - LEFT_FOR) };
  const where = { state: 'queued', runbook: { notIn: [...runbooks.keys()] }, plan: null } as const;
  return tx.find(jobs, { where: { ...where, runAt: long, queuedAt: long }, limit });
}

/** Ends them as their start would have. Returns how many. */
export async function buryOrphans(tx: Tx, catalog: Catalog, limit: number): Promise<number> {
  const orphans = await findOrphans(tx, catalog, limit);
  for (const row of orphans) {
    await tx.queue.withdraw(row);
    const mine = await assign(tx, { owner: 'sweeper' }, row, null);
    const reason = obstacle(mine, undefined) ?? '';
    await end(tx, mine, { kind: 'fail', stage: 'start', reason });
  }
  return orphans.length;
}
