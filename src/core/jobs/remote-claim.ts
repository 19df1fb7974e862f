import { claims, type ClaimRow } from '../../domain/claim.ts';
import { SECOND } from '../../domain/clock.ts';
import type { Receipt } from '../../domain/effect.ts';
import { Refusal } from '../../domain/errors.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import { sha256, type Json } from '../../domain/json.ts';
import type { Runbook } from '../../domain/runbook.ts';
import { KEPT } from '../receipts.ts';
import type { Tx } from '../store.ts';
import { held, LEASE } from './claiming.ts';
import { finish, type Ending } from './finishing.ts';
import { outboundKey } from './receipts.ts';

/** Seconds between two heartbeats: two of them may be lost. */
export const HEARTBEAT = LEASE / 3 / SECOND;

/** A claim as its worker names it: who has it, of which job, and which claim of it. */
export interface Claim {
  readonly worker: string;
  readonly ref: string;
  /** As `claimRemote` gave it. */
  readonly claim: string;
}

/** What is found under a claim's name. One that was lost, or is over, has a record if it was ever this worker's. */
export type Found =
  | { readonly holds: true; readonly row: JobRow; readonly record: ClaimRow }
  | { readonly holds: false; readonly row: JobRow; readonly record: ClaimRow | undefined };

export const ownerOf = (worker: string): string => `remote:${worker}`;
/** The fence: whoever lost the claim holds an older one. */
export const claimOf = (row: Pick<JobRow, 'fence'>): string => String(row.fence);

const idOf = ({ worker, ref, claim }: Claim): string => sha256(['claim', worker, ref, claim].join('\n'));

/** Ids are random, and injected. */
export const jitter = (tx: Tx) => () => Number.parseInt(sha256(tx.id()).slice(0, 12), 16) / 2 ** 48;

/** Writes down who was given a job. */
export const recordClaim = (tx: Tx, worker: string, row: JobRow): Promise<ClaimRow> =>
  tx.insert(claims, {
    id: idOf({ worker, ref: row.ref, claim: claimOf(row) }),
    job: row.ref,
    attempt: row.attempt,
    startedAt: row.runningAt ?? tx.now,
    lines: 0,
    bytes: 0,
    progressAt: null,
    said: null,
    answer: null,
    expiresAt: new Date(tx.now.getTime() + KEPT),
  });

/** @throws Refusal `not_found`: there is no such job. */
export async function findClaim(tx: Tx, which: Claim): Promise<Found> {
  const { worker, ref, claim } = which;
  const row = await tx.get(jobs, { ref });
  if (!row) throw new Refusal('not_found', `There is no job ${ref}.`);
  const record = await tx.get(claims, { id: idOf(which) });
  const holds = row.leaseOwner === ownerOf(worker) && claimOf(row) === claim && !!(await held(tx, row, row));
  // The record of one that is held is there, unless it has been held for longer than records are kept.
  return holds
    ? { row, record: record ?? (await recordClaim(tx, worker, row)), holds }
    : { row, record, holds };
}

export const lost = ({ ref, state }: JobRow): Refusal =>
  new Refusal('conflict', `This claim of ${ref} was lost, and the job is ${state}: stop working on it.`);

/** Writes how a try ended. The claim has been checked. */
export async function endClaim(
  tx: Tx,
  row: JobRow,
  runbook: Runbook | undefined,
  outcome: Ending['outcome'],
  receipts: readonly Receipt[] = [],
): Promise<JobRow> {
  await finish(tx, row, { outcome, runbook, receipts, random: jitter(tx), row });
  return (await tx.get(jobs, { id: row.id })) ?? row;
}

/** What a worker did, or says it did, as the receipt of its try. */
export function receiptOf(
  tx: Tx,
  worker: string,
  row: JobRow,
  startedAt: Date,
  outcome: string,
  result: Json,
): Receipt {
  const key = outboundKey(tx.workspace, row);
  return { kind: 'remote', target: worker, outcome, result, startedAt, endedAt: tx.now, step: null, key };
}
