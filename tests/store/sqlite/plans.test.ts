import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import { createHarness } from '../../support/harness.ts';
import { tempFolder } from '../../support/temp.ts';
import { QUERIES } from '../queries.ts';

test('each query uses its index, however large the workspace is', async () => {
  const path = join(tempFolder(), 'plans.db');
  await openSqlite({ path }).close();
  const db = new Database(path, { readonly: true });
  const plans = QUERIES.map(([sql, index]) => {
    // As the statements are written.
    const steps = db
      .prepare(`EXPLAIN QUERY PLAN ${sql.replaceAll('?', '+?')}`)
      .all(...[...sql.matchAll(/\?/g)].map(() => 1)) as {
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

test('no statement is planned anew for each value: those that sort have no bare placeholder', async () => {
  const prepared = vi.spyOn(Database.prototype, 'prepare');
  const h = await createHarness();
  for (const text of ['task create a', 'task list', 'job run restart', 'job list', 'audit search'])
    expect(await h.run('ana', text)).toMatchObject({ status: 'ok' });
  await h.close();
  const sorting = prepared.mock.calls.map(([sql]) => sql).filter((sql) => /order by/i.test(sql));
  expect(sorting.length).toBeGreaterThan(3);
  expect(sorting.filter((sql) => /(?<!\+)\?/.test(sql))).toEqual([]);
});
