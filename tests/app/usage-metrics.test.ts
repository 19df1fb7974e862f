import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { countUsage } from '../../src/core/usage.ts';
import type { Usage } from '../../src/domain/job.ts';
import { addUsageMetrics } from '../../src/usage-metrics.ts';
import { job } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let h: Harness;
let registry: Registry;
beforeEach(async () => {
  const none = { runbook: undefined, per: 'day', runs: undefined, approval: undefined } as const;
  h = await createHarness({
    budgets: [{ ...none, name: 'money', cost: 10_000_000, units: { tokens: 100 } }],
  });
  registry = new Registry();
  addUsageMetrics(registry, h.store, h.catalog);
  await h.run('ben', 'job run restart');
});
afterEach(() => h.close());

const use = async (usage: Usage) => {
  const row = await job(h);
  await h.store.transaction('main', (tx) => countUsage(tx, row, usage));
};
const lines = async () =>
  (await registry.metrics()).split('\n').filter((line) => line.startsWith('signalbox'));

test('what runs used and how far budgets are, anew with each scrape', async () => {
  expect(await lines()).toEqual(['signalbox_budget_used_ratio{budget="money"} 0']);
  await use({ units: { tokens: 40 }, cost: 1_500_000 });
  await use({ units: { tokens: 40, minutes: 0.5 }, cost: 500_000 });
  expect(await lines()).toEqual([
    'signalbox_job_cost_total{runbook="restart"} 2',
    'signalbox_job_units_total{runbook="restart",unit="tokens"} 80',
    'signalbox_job_units_total{runbook="restart",unit="minutes"} 0.5',
    'signalbox_budget_used_ratio{budget="money"} 0.8',
  ]);
});

test('stay as they were while the database is away', async () => {
  await use({ units: {}, cost: 1_000_000 });
  const before = await lines();
  await h.store.close();
  expect(await lines()).toEqual(before);
});
