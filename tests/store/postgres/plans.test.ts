import pg from 'pg';
import { expect, test } from 'vitest';
import { serverConfig } from '../../../src/store/postgres/client.ts';
import { migrate } from '../../../src/store/postgres/migrate.ts';
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

/** Rows enough for the planner to mind, each column with a few values; what makes an index unique differs in each. */
const FILL = `DO $$ DECLARE found record; BEGIN
    SET LOCAL session_replication_role = replica;
    FOR found IN
      SELECT c.relname AS name, string_agg(
        CASE WHEN a.attname = 'workspace' THEN quote_literal('w')
             WHEN a.atttypid = 'bigint'::regtype AND NOT a.attnotnull THEN 'nullif(i % 500, 0)'
             WHEN a.atttypid = 'bigint'::regtype AND a.attname IN ('seq', 'cursor', 'position') THEN 'i'
             WHEN a.atttypid = 'bigint'::regtype THEN 'i % 500'
             WHEN a.attname IN ('state', 'priority', 'channel', 'capability', 'phase', 'runbook') THEN quote_literal('x') || ' || i % 5'
             ELSE quote_literal('v') || ' || i' END, ', ' ORDER BY a.attnum) AS columns
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relrowsecurity AND c.relname <> 'chains'
      GROUP BY c.relname
    LOOP
      EXECUTE format('INSERT INTO %I SELECT %s FROM generate_series(1, 3000) i', found.name, found.columns);
    END LOOP;
  END $$`;

test('each query uses its index behind the policy, in the plan that is kept for all values', async () => {
  const database = await createDatabase({ empty: true });
  await migrate(database.url, undefined);
  await database.sql(FILL);
  await database.sql('ANALYZE');
  const client = new pg.Client({
    ...serverConfig({ url: database.url, lockTimeout: 5_000 }),
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
