import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { confirmations } from '../../src/domain/records.ts';
import type { Row } from '../../src/domain/table.ts';

const args = z.object({
  id: z.string().max(64).optional().describe('Which reading; the last one in this conversation unless told'),
});

export const yes = command({
  name: 'yes',
  summary: 'Run the command that was read from your words.',
  args,
  positional: ['id'],
  needs: 'none',
  risk: 'write',
  examples: [{ text: 'yes', json: { command: 'yes', args: {} } }],
  async run(ctx, { id }) {
    const { command: name, args: given } = await take(ctx, id);
    const answer = await ctx.invoke({ command: name, args: given });
    return { ...answer.reply, answer };
  },
});

export const no = command({
  name: 'no',
  summary: 'Forget the command that was read from your words.',
  args,
  positional: ['id'],
  needs: 'none',
  risk: 'write',
  examples: [{ text: 'no', json: { command: 'no', args: {} } }],
  async run(ctx, { id }) {
    const { command: name } = await take(ctx, id);
    return { text: `Forgotten; ${name.replaceAll('.', ' ')} was not run.` };
  },
});

/** Takes out what waits for this very principal, once. @throws Refusal `not_found`. */
async function take(ctx: Ctx, id: string | undefined): Promise<Row<typeof confirmations>> {
  const own = { principal: ctx.who.name, expiresAt: { above: ctx.now } };
  const where = id === undefined ? { ...own, conversation: ctx.conversation } : { ...own, id };
  const [row] = await ctx.tx.find(confirmations, {
    where,
    orderBy: [{ column: 'id', descending: true }],
    limit: 1,
  });
  if (row === undefined || (await ctx.tx.remove(confirmations, { id: row.id })) !== 1)
    throw new Refusal('not_found', 'Nothing waits for your yes or no here; it may have been too long ago.');
  return row;
}
