import { expect, test } from 'vitest';
import { approverNotes } from '../../src/config/approvers.ts';
import { RUNBOOK } from './fixture.ts';
import { loadYaml, refusal } from './support.ts';

const RESTART = `runbooks:\n  restart:\n${RUNBOOK.join('\n')}\n    executor: { kind: shell, argv: [node, --version] }\n`;
const budget = (entry: string) => `${RESTART}budgets:\n  month:\n    ${entry}\n`;

test('a budget bounds runs, cost and units of a period, and refuses unless it has an approval', async () => {
  const { catalog } = await loadYaml(
    `${RESTART}budgets:
  tries: { runbook: restart, per: day, runs: 20 }
  money:
    per: month
    cost: "12.50"
    units: { tokens: 100000, gpu_minutes: 0.5 }
    approval: { quorum: 1, roles: [admin], timeout: 1h }
`,
  );
  expect(catalog.budgets).toEqual([
    {
      name: 'tries',
      runbook: 'restart',
      per: 'day',
      runs: 20,
      cost: undefined,
      units: {},
      approval: undefined,
    },
    {
      name: 'money',
      runbook: undefined,
      per: 'month',
      runs: undefined,
      cost: 12_500_000,
      units: { tokens: 100_000, gpu_minutes: 0.5 },
      approval: { quorum: 1, roles: ['admin'], persons: [], timeout: 3_600_000 },
    },
  ]);
  expect(approverNotes(catalog, catalog.principals, 'the file names')).toEqual([
    expect.stringContaining('Budget money needs 1 approver of role admin; the file names none'),
  ]);
});

test('without the section there are none', async () => {
  expect((await loadYaml(RESTART)).catalog.budgets).toEqual([]);
});

test.each([
  ['SBX027', '{ per: day }', 'budgets.month bounds nothing.'],
  ['SBX027', '{ per: day, runs: 1, runbook: restrat }', 'There is no runbook "restrat".'],
  ['SBX027', '{ per: day, units: { cost: 5 } }', 'cost is no unit.'],
  ['SBX005', '{ runs: 1 }', 'budgets.month.per is missing.'],
  ['SBX006', '{ per: week, runs: 1 }', 'budgets.month.per: expected day, month.'],
  ['SBX006', '{ per: day, runs: 0 }', 'budgets.month.runs: expected at least 1.'],
  ['SBX006', '{ per: day, cost: "12,50" }', 'budgets.month.cost: expected an amount above 0'],
  ['SBX006', '{ per: day, cost: 0 }', 'budgets.month.cost: expected an amount above 0'],
  ['SBX006', '{ per: day, cost: "0.0000001" }', 'budgets.month.cost: expected an amount above 0'],
  [
    'SBX006',
    '{ per: day, units: { Tokens: 5 } }',
    'budgets.month.units.Tokens: expected a map of units (lower-case',
  ],
  ['SBX006', '{ per: day, units: { tokens: -5 } }', 'budgets.month.units.tokens: expected a number above 0'],
  ['SBX004', '{ per: day, runs: 1, then: refuse }', 'unknown key "then"'],
  [
    'SBX012',
    '{ per: day, runs: 1, approval: { quorum: 0, roles: [admin], timeout: 1h } }',
    'approves by itself',
  ],
  ['SBX013', '{ per: day, runs: 1, approval: { quorum: 1, roles: [boss], timeout: 1h } }', 'no role "boss"'],
])('%s: %s is refused', async (code, entry, message) => {
  const { problems } = await refusal(loadYaml(budget(entry)));
  expect(problems).toContainEqual(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});
