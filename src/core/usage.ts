import { jobs, type JobRow, type Usage } from '../domain/job.ts';
import { usageTotals } from '../domain/records.ts';
import { addToTotal, addUsage, periodOf, type Per } from '../domain/usage.ts';
import type { Tx } from './store.ts';

const PERIODS = ['day', 'month', 'all'] as const satisfies readonly Per[];

/** Whose total: all runbooks', one runbook's, or what a budget counts by itself. */
type Scope = 'workspace' | `runbook:${string}` | `budget:${string}`;

/** The row of a total: `day:2026-11-20|runbook:deploy`. All of one period stand together. */
export const totalId = (per: Per, at: Date, scope: Scope): string =>
  `${totalsOf(per, periodOf(per, at))}${scope}`;
/** What the ids of a period's totals begin with. */
export const totalsOf = (per: Per, period: string): string => `${per}:${period}|`;

/**
 * Adds what a try used to its job and to the totals, also where its claim was lost: it was used all the same. `step`:
 * the runbook that a step of the job named.
 */
export async function countUsage(
  tx: Tx,
  { id }: Pick<JobRow, 'id'>,
  report: Usage | undefined,
  step?: string,
): Promise<void> {
  const row = report && (await tx.get(jobs, { id }));
  if (!row) return;
  const scopes = new Set<Scope>(['workspace', `runbook:${row.runbook}`]);
  if (step !== undefined) scopes.add(`runbook:${step}`);
  await addToTotals(tx, [...scopes], report, row.usage === null);
  await tx.update(jobs, row, { usage: addUsage(row.usage, report) });
}

/** One read, and a write for each total. */
async function addToTotals(tx: Tx, scopes: readonly Scope[], report: Usage, isFirst: boolean): Promise<void> {
  const wanted = PERIODS.flatMap((per) =>
    scopes.map((scope) => ({ id: totalId(per, tx.now, scope), scope, period: periodOf(per, tx.now) })),
  );
  const found = await tx.find(usageTotals, { where: { id: { in: wanted.map(({ id }) => id) } } });
  const before = new Map(found.map((row) => [row.id, row]));
  for (const total of wanted) {
    const row = before.get(total.id);
    const sum = addToTotal(row ?? { units: {}, cost: 0 }, report);
    const runs = (row?.runs ?? 0) + (isFirst ? 1 : 0);
    if (row) await tx.update(usageTotals, row, { ...sum, runs });
    else await tx.insert(usageTotals, { ...total, ...sum, runs });
  }
}
