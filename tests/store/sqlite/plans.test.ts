import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import { tempFolder } from '../../support/temp.ts';
import { QUERIES } from '../queries.ts';

test('each query uses its index, however large the workspace is', async () => {
  const path = join(tempFolder(), 'plans.db');
  await openSqlite({ path }).close();
  const db = new Database(path, { readonly: true });
  const plans = QUERIES.map(([sql, index]) => {
    const steps = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...[...sql.matchAll(/\?/g)].map(() => 1)) as {
      detail: string;
    }[];
    return [
      sql,
      steps.some(({ detail }) => detail.includes(`INDEX ${index} `))
        ? index
        : steps.map((s) => s.detail).join('; '),
    ];
  });
  db.close();
  expect(plans).toEqual(QUERIES.map(([sql, index]) => [sql, index]));
});
