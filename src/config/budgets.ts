import type { Budget } from '../domain/catalog.ts';
import { checkApproval, type Staff } from './approvers.ts';
import { entries } from './parse.ts';
import type { Report } from './problem.ts';
import * as shape from './shape.ts';
import { suggest } from './suggest.ts';

/** What budgets are checked against. */
export interface Around {
  readonly staff: Staff;
  /** The names of the runbooks that the file defines, with the permission that asking for each takes. */
  readonly runbooks: ReadonlyMap<string, string | undefined>;
}

/** The budgets of the file, in its order. Refuses one without a bound, or of a runbook that there is not. */
export function compileBudgets(section: unknown, { staff, runbooks }: Around, report: Report): Budget[] {
  return Array.from(entries(shape.budget, section, ['budgets'], report), ([name, entry]) => {
    const path = ['budgets', name];
    const { runbook, runs, cost, units, approval } = entry;
    if (runbook !== undefined && !runbooks.has(runbook)) {
      const mend = suggest(runbook, runbooks.keys(), 'Define it under runbooks.');
      report('SBX027', [...path, 'runbook'], `There is no runbook "${runbook}".`, mend);
    }
    if (Object.hasOwn(units, 'cost'))
      report('SBX027', [...path, 'units', 'cost'], 'cost is no unit.', 'Write cost beside units.');
    if (runs === undefined && cost === undefined && Object.keys(units).length === 0)
      report('SBX027', path, `budgets.${name} bounds nothing.`, 'Add runs, cost or units.');
    const permission = runbook === undefined ? 'job:run' : runbooks.get(runbook);
    if (approval) checkApproval(approval, permission, staff, [...path, 'approval'], report);
    return { name, runbook, per: entry.per, runs, cost, units, approval };
  });
}
