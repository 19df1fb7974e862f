import type { Receipt } from '../../domain/effect.ts';
import type { JobRow, Outcome } from '../../domain/job.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Runbook } from '../../domain/runbook.ts';
import type { JobStepRow } from '../../domain/step.ts';
import type { Tx } from '../store.ts';
import { countUsage } from '../usage.ts';
import { haveReceipts, writeReceipts } from './receipts.ts';

/** A try of a step that is to be made, or to be written down. */
export interface StepTry {
  readonly row: JobStepRow;
  readonly runbook: Runbook;
  readonly args: JsonObject;
  /** Steps in all. */
  readonly total: number;
  /** Milliseconds that the whole leaves it; undefined for what undoes a step. */
  readonly left: number | undefined;
}

export interface Tried extends StepTry {
  readonly outcome: Outcome;
  readonly receipts: readonly Receipt[];
}

/** What the worker does next: make a try, or end its own turn with this outcome of the job. */
export type Turn =
  | ({ readonly kind: 'try' } & StepTry)
  | { readonly kind: 'over'; readonly outcome: Outcome };

/** Keeps what a try did outside and what it used, whatever became of the claim; `again`: unless that is kept already. */
export async function keepTried(
  tx: Tx,
  claimed: JobRow,
  { row, runbook, receipts, outcome }: Tried,
  again: boolean,
): Promise<void> {
  const job = { ...claimed, attempt: row.attempt };
  if (again && (await haveReceipts(tx, job, receipts))) return;
  await writeReceipts(tx, job, receipts);
  if (outcome.kind !== 'wait') await countUsage(tx, claimed, outcome.usage, runbook.name);
}

/** Whether the try that a turn begins is the one that was begun. */
export const stands = (turn: Turn, rows: readonly JobStepRow[]): boolean =>
  turn.kind === 'try' && rows.some(({ id, version }) => id === turn.row.id && version === turn.row.version);
