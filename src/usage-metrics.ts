import { Counter, Gauge, type Registry } from 'prom-client';
import { boundsOf, standingsOf } from './core/budgets.ts';
import type { Store } from './core/store.ts';
import { totalsOf } from './core/usage.ts';
import type { Catalog } from './domain/catalog.ts';
import { usageTotals } from './domain/records.ts';
import { MILLION } from './domain/usage.ts';

const RUNBOOKS = `${totalsOf('all', 'all')}runbook:`;
const MOST_RUNBOOKS = 1_000;

/**
 * What runs used and how budgets stand, for `/metrics`. It is read from the database with each scrape (two reads by
 * primary key), so it outlives restarts, and every server of a workspace tells the same.
 */
export function addUsageMetrics(
  registry: Registry,
  store: Store,
  { workspace, budgets }: Pick<Catalog, 'workspace' | 'budgets'>,
): void {
  const registers = [registry];
  const read = shared(() =>
    store.read(workspace, async (tx) => ({
      totals: await tx.find(usageTotals, { where: { id: { prefix: RUNBOOKS } }, limit: MOST_RUNBOOKS }),
      standings: await standingsOf(tx, budgets),
    })),
  );
  const cost = new Counter({
    name: 'signalbox_job_cost_total',
    help: 'What runs reported to have cost, in the currency; the same from every server of the workspace.',
    labelNames: ['runbook'],
    registers,
    async collect() {
      const figures = await read();
      if (!figures) return;
      this.reset();
      for (const row of figures.totals) cost.inc({ runbook: runbookOf(row) }, row.cost / MILLION);
    },
  });
  const units = new Counter({
    name: 'signalbox_job_units_total',
    help: 'What runs reported to have used, by unit; the same from every server of the workspace.',
    labelNames: ['runbook', 'unit'],
    registers,
    async collect() {
      const figures = await read();
      if (!figures) return;
      this.reset();
      for (const row of figures.totals)
        for (const [unit, amount] of Object.entries(row.units))
          units.inc({ runbook: runbookOf(row), unit }, amount);
    },
  });
  const used = new Gauge({
    name: 'signalbox_budget_used_ratio',
    help: 'What is used of a budget in its present period, by the bound that is nearest; 1 and above: spent.',
    labelNames: ['budget'],
    registers,
    async collect() {
      for (const standing of (await read())?.standings ?? [])
        used.set(
          { budget: standing.budget.name },
          Math.max(...boundsOf(standing).map((bound) => bound.used / bound.most)),
        );
    },
  });
}

const runbookOf = ({ id }: { readonly id: string }): string => id.slice(RUNBOOKS.length);

/** One reading for all that ask while it is under way; undefined while the database is away, which has its own alarm. */
function shared<T>(read: () => Promise<T>): () => Promise<T | undefined> {
  let underWay: Promise<T | undefined> | undefined;
  return () =>
    (underWay ??= read()
      .catch(() => undefined)
      .finally(() => {
        underWay = undefined;
      }));
}
