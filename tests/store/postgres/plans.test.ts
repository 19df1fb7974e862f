import pg from 'pg';
import { expect, test } from 'vitest';
import { clientConfig } from '../../../src/store/postgres/connections.ts';
import { createDatabase } from '../../support/postgres.ts';
import { QUERIES } from '../queries.ts';

interface Plan {
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

const indexesOf = (plan: Plan): string[] => [
  ...(plan['Index Name'] ? [plan['Index Name']] : []),
  ...(plan.Plans ?? []).flatMap(indexesOf),
];

test('each query uses its index behind the policy, in the plan that is kept for all values', async () => {
  const database = await createDatabase();
  const client = new pg.Client({
    ...clientConfig({ url: database.url, lockTimeout: 5_000 }),
    pipeline: false,
  });
  await client.connect();
  const plans = [];
  for (const [sql, index] of QUERIES) {
    let place = 0;
    const numbered = sql.replaceAll('?', () => `$${(place += 1)}`);
    const { rows } = await client.query(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${numbered}`);
    const [{ Plan: plan }] = (rows as { 'QUERY PLAN': [{ Plan: Plan }] }[])[0]?.['QUERY PLAN'] ?? [
      { Plan: {} },
    ];
    plans.push([sql, indexesOf(plan).includes(index) ? index : JSON.stringify(plan)]);
  }
  await client.end();
  await database.drop();
  expect(plans).toEqual(QUERIES.map(([sql, index]) => [sql, index]));
});
