/** Queries as the commands and workers make them, each with the index that it has to use. */
export const QUERIES: readonly (readonly [string, string])[] = [
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
  ['SELECT * FROM jobs WHERE workspace = ? AND lease_until < ? LIMIT 100', 'jobs_lease'],
  ['SELECT count(*) FROM jobs WHERE workspace = ? AND runbook = ? AND caused_at > ?', 'jobs_caused'],
  ['SELECT * FROM jobs WHERE workspace = ? AND runbook IN (?, ?) AND state IN (?, ?)', 'jobs_room'],
  ['SELECT count(*) FROM jobs WHERE workspace = ? AND runbook = ? AND state = ?', 'jobs_room'],
  ['SELECT count(*) FROM jobs WHERE workspace = ? AND state IN (?, ?)', 'jobs_room'],
  ['SELECT * FROM jobs WHERE workspace = ? AND requester = ? AND key = ?', 'jobs_key'],
  ['SELECT * FROM dead_letters WHERE workspace = ? AND job = ? AND settled_at IS NULL', 'dead_letters_job'],
  [
    'SELECT * FROM dead_letters WHERE workspace = ? AND settled_at IS NULL ORDER BY id DESC LIMIT 9',
    'dead_letters_open',
  ],
  ['SELECT * FROM effects WHERE workspace = ? AND job = ? ORDER BY id LIMIT 9', 'effects_job'],
  ['SELECT * FROM jobs WHERE workspace = ? AND ref = ?', 'jobs_ref'],
  [
    'SELECT * FROM job_logs WHERE workspace = ? AND job = ? AND cursor > ? ORDER BY cursor LIMIT 9',
    'job_logs_cursor',
  ],
  ['SELECT * FROM approvals WHERE workspace = ? AND state = ? AND expires_at <= ?', 'approvals_state'],
  ['SELECT * FROM votes WHERE workspace = ? AND approval = ?', 'votes_voter'],
  ['SELECT * FROM outbox WHERE workspace = ? AND key = ?', 'outbox_key'],
  [
    'SELECT * FROM outbox WHERE workspace = ? AND next_at <= ? AND id IN (SELECT min(id) FROM outbox WHERE workspace = ? AND state = ? AND channel = ? GROUP BY lane) ORDER BY id LIMIT 50',
    'outbox_lane',
  ],
  ['SELECT count(*) FROM outbox WHERE workspace = ? AND state = ? AND channel = ?', 'outbox_lane'],
  ['SELECT * FROM outbox WHERE workspace = ? AND state = ? ORDER BY id DESC LIMIT 3', 'outbox_state'],
  ['SELECT * FROM outbox WHERE workspace = ? AND key >= ? AND key < ? LIMIT 9', 'outbox_key'],
  ['SELECT * FROM journal WHERE workspace = ? AND target = ? ORDER BY seq LIMIT 9', 'journal_target'],
  ['SELECT * FROM receipts WHERE workspace = ? AND expires_at < ?', 'receipts_expiry'],
];
