import { runbookOf, type Catalog } from '../../domain/catalog.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { Ctx } from '../command.ts';
import type { ReadTx } from '../store.ts';
import { claim } from './claiming.ts';
import { recover, needRecovery } from './recovering.ts';
import { endClaim, jitter, ownerOf, recordClaim } from './remote-claim.ts';
import { within } from './room.ts';
import { obstacle } from './starting.ts';

/** Claims due jobs of these runbooks for a program elsewhere; they run from now on. */
export async function claimRemote(
  { tx, catalog, who }: Pick<Ctx, 'tx' | 'catalog' | 'who'>,
  capabilities: readonly string[],
  limit: number,
  mine: (runbook: Runbook) => boolean,
): Promise<JobRow[]> {
  const known = (name: string) => runbookOf(catalog, name);
  // Where every worker is elsewhere, nobody else would look after those that are gone.
  await recover(tx, { runbookOf: known, random: jitter(tx) });
  const wanted = await within(tx, catalog, { capabilities, limit }, mine);
  const claimed = await claim(tx, { owner: ownerOf(who.name), begin: true }, wanted);
  const startable: JobRow[] = [];
  for (const row of claimed) {
    const runbook = known(row.runbook);
    const reason = obstacle(row, runbook);
    if (reason === undefined) startable.push(row);
    else await endClaim(tx, row, runbook, { kind: 'fail', stage: 'start', reason });
  }
  for (const row of startable) await recordClaim(tx, who.name, row);
  return startable;
}

/** The runbooks that only programs elsewhere run, with one of these capabilities. */
export const remoteRunbooks = ({ runbooks }: Catalog, capabilities: readonly string[]): Runbook[] =>
  [...runbooks.values()].filter(
    ({ executor, capability }) => executor.kind === 'remote' && capabilities.includes(capability),
  );

/** When a claim that waits may find something: a job is due, or a claim of somebody's is over, who may be lost. */
export async function claimDue(tx: ReadTx, runbooks: readonly Runbook[]): Promise<Date | undefined> {
  const [due, [held]] = await Promise.all([
    workDue(tx, runbooks),
    tx.find(jobs, {
      where: { leaseUntil: { atLeast: tx.now } },
      orderBy: [{ column: 'leaseUntil' }],
      limit: 1,
    }),
  ]);
  // It is over after that instant.
  const over = held?.leaseUntil && new Date(held.leaseUntil.getTime() + 1);
  return over && !(due && due < over) ? over : due;
}

/** The first instant at which a job of these runbooks is due, now or later, or one has to be taken back. */
export async function workDue(tx: ReadTx, runbooks: readonly Runbook[]): Promise<Date | undefined> {
  if (await needRecovery(tx)) return tx.now;
  const [first] = await tx.find(jobs, {
    where: { runbook: { in: runbooks.map(({ name }) => name) }, state: 'queued' },
    orderBy: [{ column: 'runAt' }],
    limit: 1,
  });
  return first?.runAt;
}
