import { z } from 'zod';
import { boundsOf, standingsOf, type Standing } from '../src/core/budgets.ts';
import { command } from '../src/core/command.ts';
import { totalsOf } from '../src/core/usage.ts';
import type { Catalog } from '../src/domain/catalog.ts';
import type { JsonObject } from '../src/domain/json.ts';
import { PROBE } from '../src/domain/probe.ts';
import { usageTotals } from '../src/domain/records.ts';
import type { Row } from '../src/domain/table.ts';
import { money, periodOf, usageText, usageView, type Per } from '../src/domain/usage.ts';
import { unknown } from './shared/people.ts';

/** More runbooks than a workspace has. */
const EVERY_RUNBOOK = 10_000;
const RUNBOOK = 'runbook:';
const PERIOD = /^(?:day|month|all|\d{4}-\d\d(?:-\d\d)?)$/;

const usageShow = command({
  name: 'usage.show',
  summary: 'Show what runs used in a period, runbook by runbook, and what is left of each budget.',
  args: z.object({
    period: z
      .string()
      .refine(isPeriod, 'expected day, month, all, a day such as 2026-11-20 or a month such as 2026-11')
      .default('day')
      .describe('Today (day), this month, all, or a day or month by UTC: 2026-11-20, 2026-11'),
    runbook: z.string().min(1).max(70).optional().describe('Only this runbook'),
  }),
  positional: ['period'],
  needs: 'usage:read',
  risk: 'read',
  route: { method: 'get', path: '/v1/usage' },
  examples: [
    { text: 'usage show', json: { command: 'usage.show', args: {} } },
    {
      text: 'usage show 2026-11 --runbook deploy',
      json: { command: 'usage.show', args: { period: '2026-11', runbook: 'deploy' } },
    },
  ],
  async run(ctx, { period: asked, runbook }) {
    const [per, period] = readPeriod(asked, ctx.now);
    const found = await ctx.tx.find(usageTotals, {
      where: {
        id: { prefix: totalsOf(per, period) + (runbook === undefined ? '' : `${RUNBOOK}${runbook}`) },
      },
      orderBy: [{ column: 'id' }],
      limit: EVERY_RUNBOOK,
    });
    const rows = found.filter(
      ({ scope }) => scope.startsWith(RUNBOOK) && (!runbook || scope === RUNBOOK + runbook),
    );
    if (runbook !== undefined && rows.length === 0 && !isKnown(ctx.catalog, runbook))
      throw unknown('runbook', runbook, [...ctx.catalog.runbooks.keys()]);
    const total = found.find(({ scope }) => scope === 'workspace');
    const budgets = ctx.catalog.budgets.filter((budget) => !runbook || budget.runbook === runbook);
    const standings = await standingsOf(ctx.tx, budgets);
    const lines = [
      `${period}: ${total ? lineOf(total) : rows.length === 0 ? 'nothing was used' : 'by runbook'}`,
      ...rows.map((row) => `  ${row.scope.slice(RUNBOOK.length)}: ${lineOf(row)}`),
      ...standings.map(standingLine),
    ];
    const items = rows.map((row) => ({ runbook: row.scope.slice(RUNBOOK.length), ...totalView(row) }));
    const data = {
      per,
      period,
      total: total ? totalView(total) : null,
      items,
      budgets: standings.map(standingView),
    };
    return { text: lines.join('\n'), data };
  },
});

export const usageCommands = [usageShow] as const;

/** Probes have names of their own, and what was used under a name that is gone is still there to show. */
const isKnown = ({ runbooks }: Catalog, name: string): boolean =>
  name.startsWith(PROBE) || runbooks.has(name);

function isPeriod(text: string): boolean {
  if (!PERIOD.test(text)) return false;
  // JavaScript reads 30 February as 2 March.
  const day = /^[a-z]/.test(text) ? undefined : new Date(text);
  return !day || (!Number.isNaN(day.getTime()) && day.toISOString().startsWith(text));
}

function readPeriod(asked: string, now: Date): readonly [Per, string] {
  if (asked === 'day' || asked === 'month' || asked === 'all') return [asked, periodOf(asked, now)];
  return [asked.length === 7 ? 'month' : 'day', asked];
}

type Total = Row<typeof usageTotals>;

const totalView = (row: Total): JsonObject => ({ runs: row.runs, ...usageView(row) });
const lineOf = (row: Total): string =>
  `${row.runs} ${row.runs === 1 ? 'run' : 'runs'} reported ${usageText(row)}`;

function standingLine(standing: Standing): string {
  const { budget, spent, resets } = standing;
  const state = spent.length === 0 ? '' : budget.approval ? ' [spent: asks for approval]' : ' [spent]';
  const bounds = boundsOf(standing)
    .map(({ text }) => text)
    .join(', ');
  return `budget ${budget.name}${state}: ${bounds} this ${budget.per}, until ${resets.toISOString()}`;
}

function standingView(standing: Standing): JsonObject {
  const { budget, spent, resets } = standing;
  const shown = (name: string, amount: number) => (name === 'cost' ? money(amount) : amount);
  return {
    name: budget.name,
    runbook: budget.runbook ?? null,
    per: budget.per,
    whenSpent: budget.approval ? 'approval' : 'refuse',
    spent: spent.length > 0,
    resets: resets.toISOString(),
    bounds: boundsOf(standing).map(({ name, used, most }) => ({
      name,
      used: shown(name, used),
      most: shown(name, most),
      left: shown(name, Math.max(0, most - used)),
    })),
  };
}
