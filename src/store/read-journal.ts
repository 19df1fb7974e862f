import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { journal, type JournalEntry } from '../domain/journal.ts';
import type { Row } from '../domain/table.ts';
import { entryOf } from './entry.ts';
import { Statements } from './statements.ts';

const PAGE = 1_000;

/** Every entry of a database file, workspace by workspace, oldest first; nothing is written, no server is needed. */
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
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const rows = statements.find<typeof journal>(workspace, {
      where: { seq: { above: after } },
      orderBy: [{ column: 'seq' }],
      limit: PAGE,
    }) as Row<typeof journal>[];
    for (const row of rows) yield entryOf(workspace, row);
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last.seq;
  }
}
