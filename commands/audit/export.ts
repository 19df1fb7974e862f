import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { mayRead } from '../../src/core/feed.ts';
import { journal, type JournalEntry } from '../../src/domain/journal.ts';
import { entryOf } from './entries.ts';

/** Entries with their chain, one JSON text per line (https://jsonlines.org), so that a copy verifies anywhere. */
export const auditExport = command({
  name: 'audit.export',
  summary: 'Export a page of the journal with its chain, as JSON lines.',
  args: z.object({
    after: z
      .int()
      .min(0)
      .default(0)
      .describe('The last sequence of the page before; from the start unless told'),
    limit: z.int().min(1).max(1_000).default(500).describe('How many at most; 500 unless told, 1000 at most'),
  }),
  needs: 'audit:export',
  risk: 'read',
  examples: [
    { text: 'audit export', json: { command: 'audit.export', args: {} } },
    {
      text: 'audit export --after 3 --limit 100',
      json: { command: 'audit.export', args: { after: 3, limit: 100 } },
    },
  ],
  async run(ctx, { after, limit }) {
    const rows = await ctx.tx.find(journal, {
      where: { seq: { above: after } },
      orderBy: [{ column: 'seq' }],
      limit: limit + 1,
    });
    const entries = rows.slice(0, limit).map((row) => readable(ctx, entryOf(ctx.tx.workspace, row)));
    const next = rows.length > limit ? (entries.at(-1)?.seq ?? null) : null;
    const jsonl = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    const range = entries.length === 0 ? 'Nothing' : `${entries[0]?.seq} to ${entries.at(-1)?.seq}`;
    const more = next === null ? 'That is all.' : `More: audit export --after ${next}`;
    return { text: `${range} exported. ${more}`, data: { jsonl, count: entries.length, next } };
  },
});

/** What may not be read goes out in the form of an erased entry: no details, and the chain verifies all the same. */
function readable(ctx: Ctx, entry: JournalEntry): JournalEntry {
  return mayRead(ctx.who, entry.event) ? entry : { ...entry, details: {}, salt: null };
}
