import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { journal, type JournalEntry } from '../domain/journal.ts';
import type { Row } from '../domain/table.ts';
import { entryOf } from './entry.ts';
import { Statements } from './statements.ts';

const PAGE = 1_000;

/**
 * Every entry of a database file, workspace by workspace, oldest first; nothing is written, no server is needed.
 * @throws Error that names the first entry that cannot be read.
 */
export function* readJournal(path: string): Iterable<JournalEntry> {
  const db = new Database(path, { readonly: true, fileMustExist: true });
  try {
    const statements = new Statements(drizzle({ client: db }), journal);
    const workspaces = db
      .prepare<[], { workspace: string }>('SELECT DISTINCT workspace FROM journal ORDER BY 1')
      .all();
    for (const { workspace } of workspaces) yield* entriesOf(statements, workspace);
  } finally {
    db.close();
  }
}

function* entriesOf(statements: Statements, workspace: string): Iterable<JournalEntry> {
  for (let after = Number.MIN_SAFE_INTEGER, most = PAGE; ; ) {
    let entries: JournalEntry[];
    try {
      entries = page(statements, workspace, after, most);
    } catch (error) {
      if (most === 1) throw unreadable(workspace, after, error);
      // One of them cannot be read: those before it can, and are checked first.
      most = 1;
      continue;
    }
    yield* entries;
    const last = entries.at(-1);
    if (!last || entries.length < most) return;
    after = last.seq;
  }
}

function page(statements: Statements, workspace: string, after: number, limit: number): JournalEntry[] {
  const rows = statements.find<typeof journal>(workspace, {
    where: { seq: { above: after } },
    orderBy: [{ column: 'seq' }],
    limit,
  }) as Row<typeof journal>[];
  return rows.map((row) => entryOf(workspace, row));
}

function unreadable(workspace: string, after: number, cause: unknown): Error {
  const seq = Math.max(after, 0) + 1;
  const why = cause instanceof Error ? cause.message : 'it cannot be read';
  return new Error(`${workspace}: entry ${seq} is broken: ${why}`, { cause });
}
