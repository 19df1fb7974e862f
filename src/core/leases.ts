import { leases } from '../domain/records.ts';
import type { Row } from '../domain/table.ts';
import type { Tx } from './store.ts';

export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** Rises with each new holder: a write that carries an older one comes from somebody who lost it. */
  readonly fence: number;
  readonly expiresAt: Date;
}

/**
 * What a lease is to somebody who wants it: `kept`, his own with nothing to do yet; `open`, free or his to renew since
 * half of its time is over; `taken`, somebody else's; `overlong`, somebody else's with more left of it than there ever
 * was, since the clock was set back.
 */
export function standing(
  row: Row<typeof leases> | undefined,
  holder: string,
  now: Date,
  ttl: number,
): 'kept' | 'open' | 'taken' | 'overlong' {
  const left = row === undefined ? 0 : row.expiresAt.getTime() - now.getTime();
  if (left <= 0) return 'open';
  if (row?.holder !== holder) return left > ttl ? 'overlong' : 'taken';
  return left > ttl / 2 && left <= ttl ? 'kept' : 'open';
}

/**
 * Takes or keeps a lease for `ttl` milliseconds; undefined while somebody else holds it. Keeping it writes only once
 * half of its time is over, so it may be asked for as often as one likes. One of somebody else that a clock set back made
 * too long is cut to `ttl` from now: its holder, if it lives, renews it before that.
 */
export async function holdLease(
  tx: Tx,
  name: string,
  holder: string,
  ttl: number,
): Promise<Lease | undefined> {
  const row = await tx.get(leases, { id: name });
  const is = standing(row, holder, tx.now, ttl);
  if (is === 'taken') return undefined;
  if (row && is === 'kept') return { ...row, name };
  const expiresAt = new Date(tx.now.getTime() + ttl);
  if (row && is === 'overlong') {
    await tx.update(leases, row, { expiresAt });
    return undefined;
  }
  const mine = row?.holder === holder && row.expiresAt > tx.now;
  const fence = mine ? row.fence : (row?.fence ?? 0) + 1;
  if (row) await tx.update(leases, row, { holder, fence, expiresAt });
  else await tx.insert(leases, { id: name, holder, fence, expiresAt });
  return { name, holder, fence, expiresAt };
}

/** Gives a lease up at once, so that another need not wait for its end. Returns whether it was still held. */
export async function releaseLease(tx: Tx, { name, fence }: Pick<Lease, 'name' | 'fence'>): Promise<boolean> {
  const row = await tx.get(leases, { id: name });
  if (row?.fence !== fence || row.expiresAt <= tx.now) return false;
  await tx.update(leases, row, { expiresAt: tx.now });
  return true;
}
