import { leases } from '../domain/records.ts';
import type { ReadTx, Tx } from './store.ts';

const WORKER = 'worker:';

/** What a process holds for as long as it runs jobs. */
export const workerLease = (owner: string): string => WORKER + owner;

/** How many processes run jobs at present; one that was killed counts for some seconds more. */
export const workersAlive = (tx: ReadTx): Promise<number> =>
  tx.count(leases, { id: { prefix: WORKER }, expiresAt: { above: tx.now } });

/** Forgets those that are gone. */
export const forgetWorkers = (tx: Tx): Promise<number> =>
  tx.remove(leases, { id: { prefix: WORKER }, expiresAt: { below: tx.now } });
