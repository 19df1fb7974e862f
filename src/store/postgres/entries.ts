import { journal, type JournalEntry } from '../../domain/journal.ts';
import type { Row } from '../../domain/table.ts';
import { entryOf } from '../journal-entry.ts';
import { statementsOf } from './dialect.ts';
import type { Session } from './session.ts';

/** Entries with `seq > after`, oldest first. */
export async function entriesAfter(
  session: Session,
  workspace: string,
  after: number,
  limit: number,
): Promise<JournalEntry[]> {
  const statements = statementsOf(journal);
  const { statement, values } = statements.find<typeof journal>(workspace, {
    where: { seq: { above: after } },
    orderBy: [{ column: 'seq' }],
    limit,
  });
  const { rows } = await session.ask(statement, values);
  return (rows as never[]).map((row) => entryOf(workspace, statements.decode(row) as Row<typeof journal>));
}
