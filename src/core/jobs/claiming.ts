import { SECOND } from '../../domain/clock.ts';
import { checkStep, CLAIMED, jobs, type JobRow } from '../../domain/job.ts';
import type { Wanted } from '../queue.ts';
import type { ReadTx, Tx } from '../store.ts';
import { emit, since } from './journalling.ts';
import { end } from './ending.ts';

/** Milliseconds that a claim holds unless it is renewed. */
export const LEASE = 30 * SECOND;

/** Who claims. */
export interface Claimant {
  /** Unique among workers. */
  readonly owner: string;
  /** Milliseconds that the claim holds; `LEASE` unless told. */
  readonly lease?: number;
  /** It runs at once, in this very process: `assigned` and `running` in one step. */
  readonly begin?: boolean;
}

const until = (tx: ReadTx, lease: number): Date => new Date(tx.now.getTime() + lease);

/**
 * Takes due jobs, at most as many as are wanted. What the engine gave out although its row is no longer queued is left
 * out: the row is the truth.
 */
export async function claim(tx: Tx, claimant: Claimant, wanted: Wanted): Promise<JobRow[]> {
  const taken = wanted.limit > 0 ? await tx.queue.take(wanted) : [];
  if (taken.length === 0) return [];
  const unread = taken.flatMap(({ job, row }) => (row ? [] : [job]));
  const rows =
    unread.length === 0 ? [] : await tx.find(jobs, { where: { id: { in: unread } }, limit: unread.length });
  const byId = new Map(rows.map((row) => [row.id, row]));
  const claimed: JobRow[] = [];
  for (const { job, ticket, row = byId.get(job) } of taken) {
    if (row?.state === 'queued') claimed.push(await assign(tx, claimant, row, ticket));
  }
  return claimed;
}

/** `queued → assigned`, and on to `running` where it begins at once. */
export async function assign(
  tx: Tx,
  { owner, lease = LEASE, begin: starts = false }: Claimant,
  row: JobRow,
  ticket: string | null,
): Promise<JobRow> {
  const mine = await tx.update(jobs, row, {
    state: starts ? 'running' : 'assigned',
    attempt: row.attempt + 1,
    leaseOwner: owner,
    leaseUntil: until(tx, lease),
    fence: row.fence + 1,
    assignedAt: tx.now,
    ticket,
    ...(starts && { runningAt: tx.now, startedAt: row.startedAt ?? tx.now, progress: null }),
  });
  const { attempt } = mine;
  const due = row.queuedAt && row.queuedAt > row.runAt ? row.queuedAt : row.runAt;
  // It has waited since the last time it was claimed.
  const waited = row.waitingAt !== null && row.waitingAt >= (row.assignedAt ?? row.createdAt);
  await emit(tx, mine, 'job.assigned', {
    attempt,
    ...(waited && row.queuedAt && { waited: since(row.waitingAt, row.queuedAt) }),
    queued: since(due, tx.now),
  });
  if (starts) await emit(tx, mine, 'job.started', { attempt, assigned: 0 });
  return mine;
}

/** The job as it stands, or as it was found just now, if the claim with this fence still holds. */
export async function held(
  tx: ReadTx,
  claimed: Pick<JobRow, 'id' | 'fence'>,
  found?: JobRow,
): Promise<JobRow | undefined> {
  const row = found ?? (await tx.get(jobs, { id: claimed.id }));
  return isHeld(row, claimed) ? row : undefined;
}

function isHeld(row: JobRow | undefined, { fence }: Pick<JobRow, 'fence'>): row is JobRow {
  return row?.fence === fence && (row.state === 'assigned' || row.state === 'running');
}

/** What this owner has claimed besides what it knows of: the answer to what claimed it was lost. */
export async function unknownClaims(
  tx: ReadTx,
  owner: string,
  known: readonly Pick<JobRow, 'id' | 'fence'>[],
): Promise<JobRow[]> {
  const found = await tx.find(jobs, { where: { state: { in: CLAIMED }, leaseOwner: owner } });
  return found.filter(({ id, fence }) => !known.some((one) => one.id === id && one.fence === fence));
}

/** `assigned → running`; undefined when the claim was lost or the job cancelled in between. */
export async function begin(tx: Tx, claimed: JobRow, lease = LEASE): Promise<JobRow | undefined> {
  const row = await held(tx, claimed);
  if (!row) return undefined;
  // What its steps did is undone first.
  if (row.cancelRequested && !row.plan) {
    await end(tx, row, { kind: 'cancelled' });
    return undefined;
  }
  // It has begun already, and the answer to that was lost.
  if (row.state === 'running') return row;
  checkStep(row.ref, row.state, 'running');
  const running = await tx.update(jobs, row, {
    state: 'running',
    startedAt: row.startedAt ?? tx.now,
    runningAt: tx.now,
    progress: null,
    leaseUntil: until(tx, lease),
  });
  const assigned = since(row.assignedAt, tx.now);
  await emit(tx, running, 'job.started', { attempt: running.attempt, assigned });
  return running;
}

/** What became of claims; each as it was given, since a worker may hold an older claim of the same job, too. */
export interface Claims {
  /** Somebody else's by now, or over. */
  readonly lost: readonly JobRow[];
  /** To be stopped, by their worker. */
  readonly cancelled: readonly JobRow[];
  readonly renewed: readonly JobRow[];
}

/** Renews claims whose time is half over; a job that is being cancelled keeps its claim until it has stopped. */
export async function renew(tx: Tx, claims: readonly JobRow[], lease = LEASE): Promise<Claims> {
  const { ours, lost, cancelled } = await look(tx, claims);
  const worn = ours.filter(({ row }) => wears(row, tx.now, lease));
  const rows: JobRow[] = [];
  for (const { row } of worn) rows.push(await tx.update(jobs, row, { leaseUntil: until(tx, lease) }));
  if (rows.length > 0) await tx.queue.touch(rows);
  return { lost, cancelled, renewed: worn.map(({ claimed }) => claimed) };
}

/** Whether `renew` would find anything to do or to tell. */
export async function needRenewal(tx: ReadTx, claims: readonly JobRow[], lease = LEASE): Promise<boolean> {
  const { ours, lost, cancelled } = await look(tx, claims);
  return lost.length > 0 || cancelled.length > 0 || ours.some(({ row }) => wears(row, tx.now, lease));
}

async function look(tx: ReadTx, claims: readonly JobRow[]) {
  const where = { id: { in: claims.map((c) => c.id) } };
  const found = claims.length === 0 ? [] : await tx.find(jobs, { where, limit: claims.length });
  const byId = new Map(found.map((row) => [row.id, row]));
  const ours = claims.flatMap((claimed) => {
    const row = byId.get(claimed.id);
    return isHeld(row, claimed) ? [{ claimed, row }] : [];
  });
  return {
    ours,
    lost: claims.filter((claimed) => !isHeld(byId.get(claimed.id), claimed)),
    cancelled: ours.flatMap(({ claimed, row }) => (isToStop(row) ? [claimed] : [])),
  };
}

/** Half of it is over; or more of it is left than there ever was, since the clock went back. */
function wears({ leaseUntil }: JobRow, now: Date, lease: number): boolean {
  const left = (leaseUntil?.getTime() ?? 0) - now.getTime();
  return left < lease / 2 || left > lease;
}

/** What is being undone is undone to the end. */
const isToStop = ({ cancelRequested, phase }: JobRow): boolean => cancelRequested && phase === 'forward';
