import { begin, claim, renew, unknownClaims, type Claims } from '../core/jobs/claiming.ts';
import { release } from '../core/jobs/finishing.ts';
import { recover } from '../core/jobs/recovering.ts';
import { within } from '../core/jobs/room.ts';
import type { Tx } from '../core/store.ts';
import { runbookOf, type Catalog } from '../domain/catalog.ts';
import { CLAIMED, jobs, type JobRow } from '../domain/job.ts';

/** Who takes jobs, and which. */
export interface Taker {
  readonly catalog: Catalog;
  /** The runbooks that workers run. */
  readonly runbooks: readonly string[];
  readonly owner: string;
  readonly capabilities: readonly string[];
  /** Milliseconds that a claim holds unless it is renewed. */
  readonly lease: number;
  /** As for `recover`. */
  readonly grace?: number;
  readonly random: () => number;
}

/** The names of those that no program elsewhere runs. */
export const localRunbooks = ({ runbooks }: Catalog): string[] =>
  [...runbooks.values()].flatMap(({ name, executor }) => (executor.kind === 'remote' ? [] : [name]));

/** How many jobs may run now, and how many may be claimed besides. */
export interface Room {
  readonly run: number;
  readonly ahead: number;
}

export interface Taken {
  readonly started: readonly JobRow[];
  readonly ahead: readonly JobRow[];
  /** There may be more: all the room was taken, or a bound of concurrency may have held something up. */
  readonly more: boolean;
  /** Nothing was taken, though there was room for whatever is due: somebody else was quicker. */
  readonly late: boolean;
}

/** Renews these claims; what was claimed ahead and is cancelled ends here. */
export async function keepClaims(
  tx: Tx,
  { lease }: Taker,
  claims: readonly JobRow[],
  ahead: readonly JobRow[],
): Promise<Claims> {
  const kept = await renew(tx, claims, lease);
  for (const job of kept.cancelled) if (ahead.includes(job)) await release(tx, job);
  return kept;
}

/** Takes back the claims of lost workers. Returns as `recover` does. */
export const recoverClaims = (tx: Tx, { catalog, ...taker }: Taker): Promise<number> =>
  recover(tx, { ...taker, runbookOf: (name) => runbookOf(catalog, name) });

/** Gives back, as if they had not been claimed, those claims that a look took whose answer was lost. */
export async function giveBackUnknown(tx: Tx, { owner }: Taker, known: readonly JobRow[]): Promise<void> {
  for (const job of await unknownClaims(tx, owner, known)) await release(tx, job);
}

/** How many of these jobs are in the hands of others. */
export const takenByOthers = (tx: Tx, { owner }: Taker, refs: readonly string[]): Promise<number> =>
  tx.count(jobs, { ref: { in: refs }, state: { in: CLAIMED }, leaseOwner: { not: owner } });

/** Begins what was claimed ahead, `next`, then claims what there is room for: to run at once, and ahead of that. */
export async function takeJobs(
  tx: Tx,
  { catalog, owner, capabilities, lease }: Taker,
  next: readonly JobRow[],
  room: Room,
): Promise<Taken> {
  const begun: JobRow[] = [];
  for (const job of next) {
    const row = await begin(tx, job, lease);
    if (row) begun.push(row);
  }
  let bounded = false;
  let full = room.run + room.ahead <= 0;
  const take = async (limit: number, begins: boolean): Promise<JobRow[]> => {
    if (limit <= 0) return [];
    const wanted = await within(tx, catalog, { capabilities, limit });
    bounded ||= wanted.limit < limit || wanted.room.size > 0;
    full ||= wanted.limit === 0 || [...wanted.room.values()].some((left) => left <= 0);
    return claim(tx, { owner, lease, begin: begins }, wanted);
  };
  const free = room.run - begun.length;
  const claimed = await take(free, true);
  const ahead = claimed.length >= free ? await take(room.ahead, false) : [];
  const more = claimed.length + ahead.length >= Math.max(0, free) + room.ahead || bounded;
  const late = !full && begun.length + claimed.length + ahead.length === 0;
  return { started: [...begun, ...claimed], ahead, more, late };
}
