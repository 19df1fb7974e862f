import type { Database } from 'better-sqlite3';
import { journal, type JournalEntry } from '../../domain/journal.ts';
import type { Row } from '../../domain/table.ts';
import { entryOf } from '../journal-entry.ts';
import { Statements } from './statements.ts';

export interface Head {
  readonly workspace: string;
  readonly seq: number;
}

/** The journal as a reading connection sees it: committed entries only, also while a group is open. */
export class CommittedJournal {
  readonly #statements: Statements;
  readonly #heads;

  constructor(reader: Database) {
    this.#statements = new Statements(reader, journal);
    // One seek per workspace instead of a scan of the journal.
    this.#heads = reader.prepare<[], Head>(
      `WITH RECURSIVE w(name) AS (
         SELECT min(workspace) FROM journal
         UNION ALL SELECT (SELECT min(workspace) FROM journal WHERE workspace > w.name) FROM w WHERE w.name IS NOT NULL
       ) SELECT name AS workspace, (SELECT max(seq) FROM journal WHERE workspace = w.name) AS seq
         FROM w WHERE name IS NOT NULL`,
    );
  }

  /** The newest sequence of each workspace that has entries. */
  heads(): Head[] {
    return this.#heads.all();
  }

  /** Entries with `seq > after`, oldest first. */
  entries(workspace: string, after: number, limit: number): JournalEntry[] {
    const rows = this.#statements.find<typeof journal>(workspace, {
      where: { seq: { above: after } },
      orderBy: [{ column: 'seq' }],
      limit,
    }) as Row<typeof journal>[];
    return rows.map((row) => entryOf(workspace, row));
  }
}
