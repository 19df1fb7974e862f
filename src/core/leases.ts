import type { Logger } from 'pino';
import { leases } from '../domain/records.ts';
import type { Row } from '../domain/table.ts';
import type { Store, Tx } from './store.ts';

export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** Rises with each new holder: a write that carries an older one comes from somebody who lost it. */
  readonly fence: number;
  readonly expiresAt: Date;
}

/**
 * What a lease is to somebody who wants it: `kept`, his own with nothing to do yet; `open`, free or his to renew since
 * half of its time is over; `taken`, somebody else's.
 */
export function standing(
  row: Row<typeof leases> | undefined,
  holder: string,
  now: Date,
  ttl: number,
): 'kept' | 'open' | 'taken' {
  const left = row === undefined ? 0 : row.expiresAt.getTime() - now.getTime();
  if (left <= 0) return 'open';
  if (row?.holder !== holder) return 'taken';
  return left > ttl / 2 ? 'kept' : 'open';
}

/**
 * Takes or keeps a lease for `ttl` milliseconds; undefined while somebody else holds it. Keeping it writes only once
 * half of its time is over, so it may be asked for as often as one likes.
 */
export async function holdLease(
  tx: Tx,
  name: string,
  holder: string,
  ttl: number,
): Promise<Lease | undefined> {
  return (await holdLeases(tx, [name], holder, ttl)).get(name);
}

/** Takes or keeps those of several leases that nobody else holds. */
export async function holdLeases(
  tx: Tx,
  names: readonly string[],
  holder: string,
  ttl: number,
): Promise<Map<string, Lease>> {
  const rows = new Map((await tx.find(leases, { where: { id: { in: names } } })).map((row) => [row.id, row]));
  const held = new Map<string, Lease>();
  const expiresAt = new Date(tx.now.getTime() + ttl);
  for (const name of names) {
    const row = rows.get(name);
    const is = standing(row, holder, tx.now, ttl);
    if (is === 'taken') continue;
    if (row && is === 'kept') held.set(name, { ...row, name });
    else held.set(name, await take(tx, row, { name, holder, expiresAt }));
  }
  return held;
}

async function take(
  tx: Tx,
  row: Row<typeof leases> | undefined,
  { name, holder, expiresAt }: Omit<Lease, 'fence'>,
): Promise<Lease> {
  const mine = row?.holder === holder && row.expiresAt > tx.now;
  const fence = mine ? row.fence : (row?.fence ?? 0) + 1;
  if (row) await tx.update(leases, row, { holder, fence, expiresAt });
  else await tx.insert(leases, { id: name, holder, fence, expiresAt });
  return { name, holder, fence, expiresAt };
}

/** Whether this very lease still holds: not lost, not over, nobody after it. */
export async function leaseHolds(tx: Tx, { name, fence }: Pick<Lease, 'name' | 'fence'>): Promise<boolean> {
  const row = await tx.get(leases, { id: name });
  return row?.fence === fence && row.expiresAt > tx.now;
}

/** Gives a lease up at once, so that another need not wait for its end. Returns whether it was still held. */
export async function releaseLease(tx: Tx, { name, fence }: Pick<Lease, 'name' | 'fence'>): Promise<boolean> {
  const row = await tx.get(leases, { id: name });
  if (row?.fence !== fence || row.expiresAt <= tx.now) return false;
  await tx.update(leases, row, { expiresAt: tx.now });
  return true;
}

/** On the way out of a worker: leases that cannot be given up now run out by themselves. */
export async function letGo(
  store: Store,
  workspace: string,
  held: Iterable<Lease | undefined>,
  log: Logger,
): Promise<void> {
  const mine = [...held].filter((lease) => lease !== undefined);
  if (mine.length === 0) return;
  try {
    await store.transaction(workspace, async (tx) => {
      for (const lease of mine) await releaseLease(tx, lease);
    });
  } catch (err) {
    log.warn({ err }, 'a lease was not given up; it runs out by itself');
  }
}
