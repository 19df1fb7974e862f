import Database from 'better-sqlite3';
import type { JournalEntry } from '../../domain/journal.ts';
import { CommittedJournal } from './committed-journal.ts';

const PAGE = 1_000;

/**
 * Every entry of a database file, workspace by workspace, oldest first; nothing is written, no server is needed.
 * @throws Error that names the first entry that cannot be read.
 */
export function* readJournal(path: string): Iterable<JournalEntry> {
  const db = new Database(path, { readonly: true, fileMustExist: true });
  try {
    const journal = new CommittedJournal(db);
    for (const { workspace } of journal.heads()) yield* entriesOf(journal, workspace);
  } finally {
    db.close();
  }
}

function* entriesOf(journal: CommittedJournal, workspace: string): Iterable<JournalEntry> {
  for (let after = Number.MIN_SAFE_INTEGER, most = PAGE; ; ) {
    let page: JournalEntry[];
    try {
      page = journal.entries(workspace, after, most);
    } catch (error) {
      if (most === 1) throw unreadable(workspace, after, error);
      // One of them cannot be read: those before it can, and are checked first.
      most = 1;
      continue;
    }
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < most) return;
    after = last.seq;
  }
}

function unreadable(workspace: string, after: number, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : 'it cannot be read';
  return new Error(`${workspace}: entry ${Math.max(after, 0) + 1} is broken: ${why}`, { cause });
}
