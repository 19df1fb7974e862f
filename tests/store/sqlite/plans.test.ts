import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openSqlite } from '../../../src/store/sqlite/store.ts';
import { tempFolder } from '../../support/temp.ts';

/** Queries as the commands and workers make them, each with the index that it has to use. */
const QUERIES: readonly (readonly [string, string])[] = [
  ['SELECT * FROM comments WHERE workspace = ? AND task = ?', 'comments_task'],
  [
    'SELECT * FROM tasks WHERE workspace = ? AND state = ? AND priority = ? ORDER BY id LIMIT 50',
    'tasks_state',
  ],
  ['SELECT * FROM tasks WHERE workspace = ? AND ref = ?', 'tasks_ref'],
  [
    'SELECT * FROM tasks WHERE workspace = ? AND owner = ? AND state = ? AND priority = ? ORDER BY id',
    'tasks_owner',
  ],
  ['SELECT * FROM dependencies WHERE workspace = ? AND depends_on = ?', 'dependencies_reverse'],
  ['SELECT * FROM identities WHERE workspace = ? AND channel = ? AND subject = ?', 'identities_subject'],
  ['SELECT * FROM identities WHERE workspace = ? AND principal = ?', 'identities_principal'],
  ['SELECT * FROM keys WHERE workspace = ? AND principal = ?', 'keys_principal'],
  [
    'SELECT * FROM jobs WHERE workspace = ? AND state = ? AND priority < ? ORDER BY priority DESC LIMIT 1',
    'jobs_due',
  ],
  [
    'SELECT * FROM jobs WHERE workspace = ? AND state = ? AND priority = ? AND run_at <= ? AND capability IN (?, ?) ORDER BY run_at, id LIMIT 8',
    'jobs_due',
  ],
  ['SELECT * FROM jobs WHERE workspace = ? AND state IN (?, ?) AND lease_until < ? LIMIT 100', 'jobs_lease'],
  ['SELECT * FROM jobs WHERE workspace = ? AND ref = ?', 'jobs_ref'],
  [
    'SELECT * FROM job_logs WHERE workspace = ? AND job = ? AND cursor > ? ORDER BY cursor LIMIT 9',
    'job_logs_cursor',
  ],
  ['SELECT * FROM approvals WHERE workspace = ? AND state = ? AND expires_at <= ?', 'approvals_state'],
  ['SELECT * FROM votes WHERE workspace = ? AND approval = ?', 'votes_voter'],
  ['SELECT * FROM outbox WHERE workspace = ? AND key = ?', 'outbox_key'],
  [
    'SELECT * FROM outbox WHERE workspace = ? AND state = ? AND lane > ? ORDER BY lane, id LIMIT 1',
    'outbox_lane',
  ],
  ['SELECT * FROM journal WHERE workspace = ? AND target = ? ORDER BY seq LIMIT 9', 'journal_target'],
  ['SELECT * FROM receipts WHERE workspace = ? AND expires_at < ?', 'receipts_expiry'],
];

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
