import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { checkLink, GENESIS, journal, type ChainFault } from '../../src/domain/journal.ts';
import { entryOf, head } from './entries.ts';

/** As much as one transaction should look at; `signalbox audit verify` checks the whole file offline. */
const MOST = 5_000;
const PAGE = 500;

export const auditVerify = command({
  name: 'audit.verify',
  summary: 'Verify the chain of the journal: the newest entries, or a stretch of it.',
  args: z.object({
    last: z
      .int()
      .min(1)
      .max(MOST)
      .default(1_000)
      .describe('How many entries at most; 1000 unless told, 5000 at most'),
    after: z.int().min(0).optional().describe('Begin behind this sequence; the newest entries unless told'),
  }),
  needs: 'audit:verify',
  risk: 'read',
  examples: [
    { text: 'audit verify', json: { command: 'audit.verify', args: {} } },
    {
      text: 'audit verify --after 0 --last 100',
      json: { command: 'audit.verify', args: { after: 0, last: 100 } },
    },
  ],
  async run(ctx, { last, after }) {
    const newest = await head(ctx);
    const from = after ?? Math.max(0, newest - last);
    const to = Math.min(newest, from + last);
    const fault = await check(ctx, from, to);
    const data = { ok: fault === undefined, from: from + 1, to, head: newest, fault: fault ?? null };
    if (fault !== undefined) return { text: `The journal is broken at ${fault.seq}: ${fault.reason}.`, data };
    if (to <= from) return { text: `There is nothing behind ${from} to verify.`, data };
    const rest = to < newest ? ` Go on: audit verify --after ${to}` : '';
    return { text: `Entries ${from + 1} to ${to} of ${newest} verify.${rest}`, data };
  },
});

/** The first fault in the stretch (from, to], if any. */
async function check(ctx: Ctx, from: number, to: number): Promise<ChainFault | undefined> {
  const before = from === 0 ? undefined : await ctx.tx.get(journal, { seq: from });
  if (from > 0 && to > from && before === undefined) return { seq: from, reason: `entry ${from} is missing` };
  let previous = before?.hash ?? GENESIS;
  let expected = from + 1;
  while (expected <= to) {
    const rows = await ctx.tx.find(journal, {
      where: { seq: { atLeast: expected, atMost: to } },
      orderBy: [{ column: 'seq' }],
      limit: PAGE,
    });
    if (rows.length === 0) return { seq: expected, reason: `entry ${expected} is missing` };
    for (const row of rows) {
      const fault = checkLink(entryOf(ctx.tx.workspace, row), expected, previous);
      if (fault !== undefined) return fault;
      previous = row.hash;
      expected += 1;
    }
  }
  return undefined;
}
