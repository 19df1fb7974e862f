import type { Logger } from 'pino';
import { leases } from '../domain/records.ts';
import type { Store, Tx } from './store.ts';

export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** Rises with each new holder: a write that carries an older one comes from somebody who lost it. */
  readonly fence: number;
  readonly expiresAt: Date;
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
  const row = await tx.get(leases, { id: name });
  const expiresAt = new Date(tx.now.getTime() + ttl);
  if (!row) {
    await tx.insert(leases, { id: name, holder, fence: 1, expiresAt });
    return { name, holder, fence: 1, expiresAt };
  }
  const mine = row.holder === holder && row.expiresAt > tx.now;
  if (!mine && row.expiresAt > tx.now) return undefined;
  if (mine && row.expiresAt.getTime() - tx.now.getTime() > ttl / 2) return { ...row, name };
  const fence = mine ? row.fence : row.fence + 1;
  await tx.update(leases, row, { holder, fence, expiresAt });
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

/** On the way out of a worker: a lease that cannot be given up now runs out by itself. */
export async function letGo(
  store: Store,
  workspace: string,
  lease: Lease | undefined,
  log: Logger,
): Promise<void> {
  if (!lease) return;
  await store
    .transaction(workspace, (tx) => releaseLease(tx, lease))
    .catch((err: unknown) => log.warn({ err }, 'a lease was not given up; it runs out by itself'));
}
