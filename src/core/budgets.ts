import { allOf, covers, type ApprovalPolicy } from '../domain/approval.ts';
import type { Budget, Catalog } from '../domain/catalog.ts';
import { Refusal, type RefusalEntry } from '../domain/errors.ts';
import { PROBE } from '../domain/probe.ts';
import { usageTotals } from '../domain/records.ts';
import type { Runbook } from '../domain/runbook.ts';
import { endOf, money, periodOf } from '../domain/usage.ts';
import type { Ctx } from './command.ts';
import type { ReadTx, Tx } from './store.ts';
import { totalId } from './usage.ts';

/** How a budget stands in its present period. */
export interface Standing {
  readonly budget: Budget;
  /** Runs that were let in, and what ended tries reported. */
  readonly runs: number;
  readonly cost: number;
  readonly units: ReadonlyMap<string, number>;
  /** The bounds that are met, for people; empty while there is something left. */
  readonly spent: readonly string[];
  /** When the period ends. */
  readonly resets: Date;
}

/** How these budgets stand: one read, whatever their number. */
export async function standingsOf(tx: ReadTx, budgets: readonly Budget[]): Promise<Standing[]> {
  if (budgets.length === 0) return [];
  const ids = budgets.flatMap((budget) => [usedId(budget, tx.now), runsId(budget, tx.now)]);
  const found = await tx.find(usageTotals, { where: { id: { in: ids } }, limit: ids.length });
  const rows = new Map(found.map((row) => [row.id, row]));
  return budgets.map((budget) => {
    const used = rows.get(usedId(budget, tx.now));
    const runs = rows.get(runsId(budget, tx.now))?.runs ?? 0;
    const units = new Map(Object.entries(used?.units ?? {}));
    const standing = { budget, runs, cost: used?.cost ?? 0, units, resets: endOf(budget.per, tx.now) };
    return {
      ...standing,
      spent: boundsOf(standing)
        .filter((b) => b.used >= b.most)
        .map((b) => b.text),
    };
  });
}

const usedId = ({ per, runbook }: Budget, at: Date): string =>
  totalId(per, at, runbook === undefined ? 'workspace' : `runbook:${runbook}`);
const runsId = ({ per, name }: Budget, at: Date): string => totalId(per, at, `budget:${name}`);

/** Each bound of a budget with what is used of it. */
export function boundsOf({ budget, runs, cost, units }: Omit<Standing, 'spent'>) {
  const bounds = [
    ...(budget.runs === undefined ? [] : [{ name: 'runs', used: runs, most: budget.runs }]),
    ...Object.entries(budget.units).map(([name, most]) => ({ name, used: units.get(name) ?? 0, most })),
  ].map((bound) => ({ ...bound, text: `${bound.used} of ${bound.most} ${bound.name}` }));
  if (budget.cost === undefined) return bounds;
  const text = `cost ${money(cost)} of ${money(budget.cost)}`;
  return [...bounds, { name: 'cost', used: cost, most: budget.cost, text }];
}

/** The budgets that a run counts against: the workspace's, and those of the runbook and of each that its steps name. */
function budgetsFor({ budgets }: Catalog, { name, executor }: Runbook): readonly Budget[] {
  // A probe asks a question; what it looks at may depend on the answer when money has run out.
  if (budgets.length === 0 || name.startsWith(PROBE)) return [];
  const calls =
    executor.kind === 'steps' ? executor.steps.flatMap((s) => ('runbook' in s ? [s.runbook.name] : [])) : [];
  return budgets.filter(
    ({ runbook }) => runbook === undefined || runbook === name || calls.includes(runbook),
  );
}

/**
 * The approval that a run needs now: its runbook's, and those of budgets that are spent; all have to be met.
 * @throws Refusal `rate_limited` where a spent budget lets nothing more through.
 */
export async function approvalFor(ctx: Ctx, runbook: Runbook): Promise<ApprovalPolicy | undefined> {
  const over = await spentBy(ctx, runbook);
  const policies = over.flatMap(({ budget, spent }) =>
    budget.approval ? [{ ...budget.approval, because: [spentText(budget, spent)] }] : [],
  );
  for (const standing of over) {
    const { event, target, details } = exceeded(standing, runbook, 'approval');
    await ctx.emit(event, target, details);
  }
  return allOf(runbook.approval ? [runbook.approval, ...policies] : policies);
}

/**
 * Counts a run that is let in against its budgets. `given`: the policy that was met for it, if one was.
 * @throws Refusal `rate_limited` where a budget is spent, `conflict` where it asks for an approval that was not given.
 */
export async function countRun(ctx: Ctx, runbook: Runbook, given: ApprovalPolicy | undefined): Promise<void> {
  for (const { budget, spent } of await spentBy(ctx, runbook)) {
    if (budget.approval === undefined || (given && covers(given, budget.approval))) continue;
    throw new Refusal(
      'conflict',
      `The budget ${budget.name} is spent (${spent.join(', ')}), so a run needs an approval for it: ask anew with \`job run\`.`,
    );
  }
  await addRun(ctx.tx, budgetsFor(ctx.catalog, runbook));
}

/** The budgets that are spent and may be gone beyond with an approval. @throws Refusal for one that may not. */
async function spentBy(ctx: Ctx, runbook: Runbook): Promise<Standing[]> {
  const standings = await standingsOf(ctx.tx, budgetsFor(ctx.catalog, runbook));
  const over = standings.filter(({ spent }) => spent.length > 0);
  const final = over.find(({ budget }) => budget.approval === undefined);
  if (!final) return over;
  const { budget, spent, resets } = final;
  throw new Refusal('rate_limited', `${spentText(budget, spent)} It resets at ${resets.toISOString()}.`, {
    retryAfter: resets.getTime() - ctx.now.getTime(),
    entry: exceeded(final, runbook, 'refused'),
  });
}

const spentText = ({ name, per }: Budget, spent: readonly string[]): string =>
  `The budget ${name} is spent: ${spent.join(', ')} this ${per}.`;

const exceeded = (
  { budget, spent, resets }: Standing,
  runbook: Runbook,
  outcome: 'refused' | 'approval',
): RefusalEntry => ({
  event: 'budget.exceeded',
  target: budget.name,
  details: { runbook: runbook.name, spent, resets: resets.toISOString(), outcome },
});

/** Only budgets that bound runs count them, so that a run costs no write where none does. */
async function addRun(tx: Tx, budgets: readonly Budget[]): Promise<void> {
  const counting = budgets.filter(({ runs }) => runs !== undefined);
  if (counting.length === 0) return;
  const ids = counting.map((budget) => runsId(budget, tx.now));
  const found = await tx.find(usageTotals, { where: { id: { in: ids } }, limit: ids.length });
  const rows = new Map(found.map((row) => [row.id, row]));
  for (const budget of counting) {
    const id = runsId(budget, tx.now);
    const row = rows.get(id);
    if (row) await tx.update(usageTotals, row, { runs: row.runs + 1 });
    else {
      const scope = `budget:${budget.name}`;
      const period = periodOf(budget.per, tx.now);
      await tx.insert(usageTotals, { id, scope, period, runs: 1, units: {}, cost: 0 });
    }
  }
}
