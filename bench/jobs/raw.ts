import { hash as digestOf } from 'node:crypto';
import Database from 'better-sqlite3';
import { newId, newSalt } from '../../src/core/ids.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import type { Engine } from './engine.ts';

/**
 * Raw better-sqlite3 with the statements of a job that runs at once: claimed, begun and ended, each with a chained
 * journal entry, and one commit for each of the three or for as many as run at once.
 */
export async function openRaw(file: string): Promise<Engine> {
  const db = new Database(file);
  for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'temp_store = MEMORY']) db.pragma(pragma);
  migrate(db);
  const put = insertion(db);
  const step = steps(db);
  return {
    fill: async (jobs) => {
      db.transaction(() => {
        for (let n = 0; n < jobs; n += 1) put();
      }).immediate();
    },
    drain: async (jobs, atOnce) => {
      const claim = db.transaction(() => step.claim(atOnce));
      const begin = db.transaction((ids: string[]) => ids.forEach((id) => step.begin(id)));
      const end = db.transaction((ids: string[]) => ids.forEach((id) => step.end(id)));
      for (let done = 0; done < jobs; ) {
        const ids = claim.immediate();
        begin.immediate(ids);
        end.immediate(ids);
        done += ids.length;
      }
    },
    idle: () => Promise.reject(new Error('a raw database wakes nobody')),
    put: async () => put(),
    close: async () => void db.close(),
  };
}

function insertion(db: Database.Database): () => void {
  const job = db.prepare(
    `INSERT INTO jobs (workspace, id, version, ref, runbook, args, digest, state, requester, attempt, max_attempts,
       run_at, fence, cancel_requested, correlation_id, created_at, queued_at)
     VALUES ('main', ?, 1, ?, 'bench', '{}', 'd', 'queued', 'admin', 0, 1, 1, 0, 0, 'c', 1, 1)`,
  );
  let n = 0;
  return () => void job.run(newId(), `JOB-${(n += 1)}`);
}

interface Steps {
  claim(most: number): string[];
  begin(id: string): void;
  end(id: string): void;
}

function steps(db: Database.Database): Steps {
  const due = db
    .prepare<[number], string>(
      `SELECT id FROM jobs WHERE workspace = 'main' AND state = 'queued' AND priority = 0 AND run_at <= 2
       ORDER BY run_at, id LIMIT ?`,
    )
    .pluck();
  const claimed = db.prepare(
    `UPDATE jobs SET state = 'assigned', attempt = attempt + 1, fence = fence + 1, lease_owner = 'me',
       lease_until = 9, assigned_at = 2, version = version + 1 WHERE workspace = 'main' AND id = ?`,
  );
  const begun = db.prepare(
    `UPDATE jobs SET state = 'running', started_at = 2, version = version + 1 WHERE workspace = 'main' AND id = ?`,
  );
  const ended = db.prepare(
    `UPDATE jobs SET state = 'succeeded', result = '{}', ended_at = 2, lease_owner = NULL, lease_until = NULL,
       version = version + 1 WHERE workspace = 'main' AND id = ?`,
  );
  const append = entries(db);
  const to = (change: Database.Statement, event: string) => (id: string) => {
    change.run(id);
    append(event, id);
  };
  const assign = to(claimed, 'job.assigned');
  return {
    claim: (most) => {
      const ids = due.all(most);
      ids.forEach(assign);
      return ids;
    },
    begin: to(begun, 'job.started'),
    end: to(ended, 'job.succeeded'),
  };
}

function entries(db: Database.Database): (event: string, target: string) => void {
  const entry = db.prepare(
    `INSERT INTO journal VALUES ('main', ?, ?, 1, 1, ?, 'system', ?, 'c', NULL, ?, ?, ?, ?, ?)`,
  );
  const details = JSON.stringify({ runbook: 'bench', attempt: 1 });
  let previous = '0'.repeat(64);
  let seq = 0;
  return (event, target) => {
    const salt = newSalt();
    const commitment = digestOf('sha256', salt + details);
    const hash = digestOf('sha256', previous + commitment);
    entry.run((seq += 1), newId(), event, target, details, salt, commitment, previous, hash);
    previous = hash;
  };
}
