import type { journal, JournalEntry } from '../domain/journal.ts';
import type { Row } from '../domain/table.ts';

/** A journal row as the entry it is. */
export function entryOf(workspace: string, row: Row<typeof journal>): JournalEntry {
  return { ...row, version: 1, workspace, at: row.at.toISOString(), details: row.details ?? {} };
}
