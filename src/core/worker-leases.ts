import { leases } from '../domain/records.ts';
import type { ReadTx, Tx } from './store.ts';

const WORKER = 'worker:';

/** What a process holds for as long as it runs jobs. */
export const workerLease = (owner: string): string => WORKER + owner;

const WATCH = 'watch:';

/** What a process holds for as long as it watches its channels: while it is held, what it reported is its own to end. */
export const watchLease = (owner: string): string => WATCH + owner;

/** How many processes run jobs at present; one that was killed counts for some seconds more. */
export const workersAlive = (tx: ReadTx): Promise<number> =>
  tx.count(leases, { id: { prefix: WORKER }, expiresAt: { above: tx.now } });

/** Forgets those that are gone. */
export async function forgetProcesses(tx: Tx): Promise<void> {
  for (const prefix of [WORKER, WATCH])
    await tx.remove(leases, { id: { prefix }, expiresAt: { below: tx.now } });
}
