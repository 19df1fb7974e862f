import type { Receipt } from '../../domain/effect.ts';
import { SECOND } from '../../domain/clock.ts';
import { runbookOf } from '../../domain/catalog.ts';
import { Refusal } from '../../domain/errors.ts';
import { isOver, jobLogs, jobs, type JobRow } from '../../domain/job.ts';
import { digest, sha256, type Json, type JsonObject } from '../../domain/json.ts';
import { receipts } from '../../domain/records.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { Ctx } from '../command.ts';
import { KEPT } from '../receipts.ts';
import type { ReadTx, Tx } from '../store.ts';
import { claim, held, LEASE } from './claiming.ts';
import { finish, type Ending } from './finishing.ts';
import { outboundKey } from './receipts.ts';
import { recover } from './recovering.ts';
import { within } from './room.ts';
import { obstacle } from './starting.ts';

/** Seconds between two heartbeats: two of them may be lost. */
export const HEARTBEAT = LEASE / 3 / SECOND;

/** A claim as its worker names it: who has it, of which job, and which claim of it. */
export interface Claim {
  readonly worker: string;
  readonly ref: string;
  /** As `claimRemote` gave it. */
  readonly claim: string;
}

const ownerOf = (worker: string): string => `remote:${worker}`;
/** The fence: whoever lost the claim holds an older one. */
export const claimOf = (row: Pick<JobRow, 'fence'>): string => String(row.fence);

/** Ids are random, and injected. */
const jitter = (tx: Tx) => () => Number.parseInt(sha256(tx.id()).slice(0, 12), 16) / 2 ** 48;

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
  return startable;
}

/** When the first of the jobs that are not due yet will be. */
export async function nextDue(tx: ReadTx, capabilities: readonly string[]): Promise<Date | undefined> {
  const [first] = await tx.find(jobs, {
    where: { state: 'queued', capability: { in: capabilities }, runAt: { above: tx.now } },
    orderBy: [{ column: 'runAt' }],
    limit: 1,
  });
  return first?.runAt;
}

/** The job, if this claim of it holds. @throws Refusal `not_found`, or `conflict` that says what became of it. */
export async function claimedJob(tx: Tx, { worker, ref, claim: token }: Claim): Promise<JobRow> {
  const row = await tx.get(jobs, { ref });
  if (!row) throw new Refusal('not_found', `There is no job ${ref}.`);
  const holds = row.leaseOwner === ownerOf(worker) && claimOf(row) === token && (await held(tx, row));
  if (holds) return row;
  if (isOver(row.state))
    throw new Refusal('conflict', `${ref} is ${row.state} already; nothing was changed.`);
  throw new Refusal(
    'conflict',
    `This claim of ${ref} was lost, and the job is ${row.state}: stop working on it.`,
  );
}

/** Writes how a try ended. The claim has been checked. */
export async function endClaim(
  tx: Tx,
  row: JobRow,
  runbook: Runbook | undefined,
  outcome: Ending['outcome'],
  done: readonly Receipt[] = [],
): Promise<JobRow> {
  await finish(tx, row, { outcome, runbook, receipts: done, random: jitter(tx) });
  return (await tx.get(jobs, { id: row.id })) ?? row;
}

/** What the worker says it did, as the receipt of the try. */
export function receiptOf(tx: Tx, row: JobRow, worker: string, outcome: string, result: Json): Receipt {
  const startedAt = row.runningAt ?? tx.now;
  const key = outboundKey(tx.workspace, row);
  return { kind: 'remote', target: worker, outcome, result, startedAt, endedAt: tx.now, step: null, key };
}

/** The bound that a try met, which its worker cannot be trusted to keep. */
export async function boundMet(tx: Tx, row: JobRow, { timeout, bounds }: Runbook, lines: number) {
  const ran = tx.now.getTime() - (row.runningAt ?? tx.now).getTime();
  if (ran >= timeout)
    return { bound: 'timeout', failure: 'timeout', reason: `stopped after ${timeout} ms (timeout)` } as const;
  const [last] = await tx.find(jobLogs, {
    where: { job: row.ref },
    orderBy: [{ column: 'cursor', descending: true }],
    limit: 1,
  });
  // Each try may log as many.
  if ((last?.cursor ?? 0) + lines <= bounds.logLines * row.attempt) return undefined;
  const reason = `more than ${bounds.logLines} lines of output (bounds.logLines)`;
  return { bound: 'bounds.logLines', failure: 'refused', reason } as const;
}

/**
 * What ended a claim, said again with the same words, gets the first answer again: the answer to the first may have been
 * lost on its way. @throws Refusal `conflict` for other words.
 */
export async function once<T extends JsonObject>(
  tx: Tx,
  { worker, ref, claim: token }: Claim,
  said: JsonObject,
  work: () => Promise<T>,
): Promise<T> {
  const id = sha256(['claim', worker, ref, token].join('\n'));
  const before = await tx.get(receipts, { id });
  const words = digest(said);
  if (before?.digest === words) return before.answer as T;
  if (before)
    throw new Refusal(
      'conflict',
      `This claim of ${ref} was ended before, and otherwise; nothing was changed.`,
    );
  const answer = await work();
  await tx.insert(receipts, { id, digest: words, answer, expiresAt: new Date(tx.now.getTime() + KEPT) });
  return answer;
}
