import { needRenewal, type Claims } from '../core/jobs/claiming.ts';
import { isDue } from '../core/jobs/due.ts';
import { needRecovery, putRight } from '../core/jobs/recovering.ts';
import type { ReadTx, Tx } from '../core/store.ts';
import type { JobRow } from '../domain/job.ts';
import {
  giveBackUnknown,
  keepClaims,
  recoverClaims,
  takenByOthers,
  takeJobs,
  type Room,
  type Taken,
  type Taker,
} from './taking.ts';

/** What a look at the queue is for. */
export interface Look {
  /** To claim. */
  readonly due: boolean;
  /** To renew claims and to take back those of lost workers. */
  readonly claims: boolean;
  /** Jobs that are due, as far as is known. */
  readonly told: readonly string[];
}

export const NOTHING: Look = { due: false, claims: false, told: [] };

/** What was told to be due that is looked up to tell whether somebody else was quicker. */
const MOST_TOLD = 100;

/** One look in the place of two. */
export const both = (one: Look, other: Partial<Look>): Look => ({
  due: one.due || !!other.due,
  claims: one.claims || !!other.claims,
  told: [...one.told, ...(other.told ?? [])].slice(0, MOST_TOLD),
});

/** How a worker stands before a look. */
interface Standing {
  readonly room: Room;
  /** What it holds, begun or not. */
  readonly claims: readonly JobRow[];
  /** By the database's clock, when claims were last looked after, in milliseconds. */
  readonly clockAt: number;
}

/** What a worker looks after, and what it begins. */
interface Looking extends Standing {
  readonly look: Look;
  /** What was claimed ahead, and what of that is to begin now. */
  readonly ahead: readonly JobRow[];
  readonly next: readonly JobRow[];
  /** The answer to a look before may have been lost: it may hold more than it knows of. */
  readonly doubtful: boolean;
}

/** Whether there is anything to do: looked up without the write lock, so that idle workers disturb nobody. */
export async function peek(
  tx: ReadTx,
  { capabilities, runbooks, lease }: Taker,
  { room, claims, clockAt }: Standing,
): Promise<{ look: Look; clockAt: number }> {
  const [due, worn, lost] = await Promise.all([
    room.run + room.ahead > 0 && isDue(tx, capabilities, runbooks),
    needRenewal(tx, claims, lease),
    needRecovery(tx, lease),
  ]);
  const now = tx.now.getTime();
  const isBack = now < clockAt;
  return {
    look: { due, claims: worn || lost || isBack, told: [] },
    clockAt: isBack ? clockAt : now,
  };
}

interface Looked {
  /** Undefined where the look was not for claims. */
  readonly kept: Claims | undefined;
  /** Undefined where the look was not for jobs that are due. */
  readonly taken: Taken | undefined;
  /** Jobs that somebody else was quicker for. */
  readonly conflicts: number;
  /** Claims that were taken back or put off: where there are any, more may be left. */
  readonly recovered: number;
  readonly clockAt: number;
}

/** Renews claims, takes back those of lost workers, begins `next` of what was claimed `ahead`, and claims what there is room for. */
export async function lookAfter(
  tx: Tx,
  taker: Taker,
  { look, next, ahead, room, claims, clockAt, doubtful }: Looking,
): Promise<Looked> {
  const now = tx.now.getTime();
  const kept = look.claims ? await keepClaims(tx, taker, claims, ahead) : undefined;
  if (look.claims && now < clockAt) await putRight(tx);
  if (doubtful) await giveBackUnknown(tx, taker, claims);
  const recovered = look.claims ? await recoverClaims(tx, taker) : 0;
  const taken = look.due ? await takeJobs(tx, taker, next, room) : undefined;
  const conflicts = taken?.late && look.told.length > 0 ? await takenByOthers(tx, taker, look.told) : 0;
  return { kept, taken, conflicts, recovered, clockAt: look.claims ? now : clockAt };
}
