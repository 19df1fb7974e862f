import { runbookOf, type Catalog } from '../../domain/catalog.ts';
import { CLAIMED, jobs } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { Wanted } from '../queue.ts';
import type { ReadTx } from '../store.ts';

const BUSY = { in: CLAIMED };

/**
 * What may be claimed: as many as are asked for, while the workspace (`jobs.concurrency`) and each runbook
 * (`bounds.concurrency`) have room for them, counted over all workers. What `mine` leaves out is not taken: unless told,
 * what programs elsewhere run. Nor is what the configuration does not know: another process may know it.
 */
export async function within(
  tx: ReadTx,
  { jobs: rules, runbooks, probes }: Pick<Catalog, 'jobs' | 'runbooks' | 'probes'>,
  asked: Pick<Wanted, 'capabilities' | 'limit'>,
  mine?: (runbook: Runbook) => boolean,
): Promise<Wanted> {
  // A worker also goes on with what carries its plan, whatever became of the runbook.
  const isMine = (runbook: Runbook | undefined, planned: boolean): boolean => {
    if (!runbook) return planned && !mine;
    return mine ? mine(runbook) : runbook.executor.kind !== 'remote';
  };
  const others = [...runbooks.values()].filter(
    (runbook) => asked.capabilities.includes(runbook.capability) && !isMine(runbook, false),
  );
  const bounded = [...runbooks.values()].flatMap(({ name, bounds: { concurrency }, capability }) =>
    concurrency !== undefined && asked.capabilities.includes(capability) ? [{ name, concurrency }] : [],
  );
  const [busy, each] = await Promise.all([
    tx.count(jobs, { state: BUSY }),
    busyByRunbook(
      tx,
      bounded.map(({ name }) => name),
    ),
  ]);
  return {
    capabilities: asked.capabilities,
    limit: Math.max(0, Math.min(asked.limit, rules.concurrency - busy)),
    room: new Map([
      ...bounded.map(({ name, concurrency }) => [name, concurrency - (each.get(name) ?? 0)] as const),
      ...others.map(({ name }) => [name, 0] as const),
    ]),
    takes: (name, planned) => isMine(runbookOf({ runbooks, probes }, name), planned),
  };
}

async function busyByRunbook(tx: ReadTx, names: readonly string[]): Promise<Map<string, number>> {
  const each = new Map<string, number>();
  if (names.length === 0) return each;
  const rows = await tx.find(jobs, { where: { runbook: { in: names }, state: BUSY }, limit: 10_000 });
  for (const { runbook } of rows) each.set(runbook, (each.get(runbook) ?? 0) + 1);
  return each;
}
