import type { Ctx } from '../../src/core/command.ts';
import { journal, type JournalEntry } from '../../src/domain/journal.ts';
import type { Row } from '../../src/domain/table.ts';

type JournalRow = Row<typeof journal>;

/** The published envelope with its chain, from the journal's row. Erased details are absent. */
export function entryOf(workspace: string, row: JournalRow): JournalEntry {
  const { id, seq, event, actor, target, correlationId, cause, salt, commitment, previous, hash } = row;
  const chain = { salt, commitment, previous, hash };
  const about = { event, actor, target, correlationId, cause, details: row.details ?? {} };
  return { id, version: 1, workspace, seq, at: row.at.toISOString(), ...about, ...chain };
}

/** The newest sequence; 0 for an empty journal. */
export async function head(ctx: Ctx): Promise<number> {
  const [last] = await ctx.tx.find(journal, { orderBy: [{ column: 'seq', descending: true }], limit: 1 });
  return last?.seq ?? 0;
}

/**
 * The first sequence at or after an instant: a binary search, as time rises with the sequence. Past the end, head + 1.
 * Some 20 reads of one row each for a million entries, and no index to pay for on every write.
 */
export async function firstSince(ctx: Ctx, at: Date): Promise<number> {
  let low = 1;
  let high = (await head(ctx)) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = await ctx.tx.get(journal, { seq: middle });
    if (row !== undefined && row.at < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
