import { z } from 'zod';
import { command, type Ctx } from '../../src/core/command.ts';
import { linkCodeId } from '../../src/core/link.ts';
import type { Reply } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { identities } from '../../src/domain/principal.ts';
import { linkCodes } from '../../src/domain/records.ts';
import { identitiesOf, tie } from '../person/view.ts';
import { readIdentity } from '../shared/fields.ts';
import { checkGrant, checkOrigin, checkScopes } from '../shared/grants.ts';

export const link = command({
  name: 'link',
  summary: 'Tie another address of yours to you: send `link` from there, then `link CODE` here.',
  args: z.object({
    code: z.string().max(40).optional().describe('The code that was shown there'),
    remove: z
      .string()
      .max(340)
      .optional()
      .describe('An address of yours that is no longer yours: slack:T1/U2'),
  }),
  positional: ['code'],
  needs: 'none',
  risk: 'write',
  examples: [
    { text: 'link', json: { command: 'link', args: {} } },
    { text: 'link --remove slack:T1/UDAN', json: { command: 'link', args: { remove: 'slack:T1/UDAN' } } },
  ],
  async run(ctx, { code, remove }) {
    if (code !== undefined) return redeem(ctx, code);
    if (remove !== undefined) return untie(ctx, remove);
    const linked = await identitiesOf(ctx, ctx.who.name);
    const how = 'To add one, send `link` from there; it answers with a code for `link CODE` here.';
    return {
      text: `You are linked to ${linked.join(', ') || 'no other address'}.\n${how}`,
      data: { identities: linked },
    };
  },
});

async function redeem(ctx: Ctx, code: string): Promise<Reply> {
  const { name, kind, permissions } = ctx.who;
  if (kind !== 'person')
    throw new Refusal('forbidden', `${name} is a program, and only persons write from elsewhere`);
  // What comes from the other address has all that the roles give; a narrowed key must not open that door.
  checkGrant(ctx.who, [permissions], 'a linked address');
  checkScopes(ctx.who, ['*'], 'a linked address');
  const id = linkCodeId(code.trim());
  const row = await ctx.tx.get(linkCodes, { id });
  if (row === undefined || row.expiresAt <= ctx.now || (await ctx.tx.remove(linkCodes, { id })) !== 1)
    throw new Refusal(
      'not_found',
      'This code is unknown, used or over; send `link` from the other address again.',
    );
  const address = `${row.channel}:${row.subject}`;
  await tie(ctx, name, address, 'command');
  const undo = `If that is not you, undo it at once: link --remove ${address}`;
  const data = { identities: await identitiesOf(ctx, name) };
  return { text: `What comes from ${address} is now yours, ${name}.\n${undo}`, data };
}

async function untie(ctx: Ctx, address: string): Promise<Reply> {
  const { channel, subject } = readIdentity(address);
  const row = await ctx.tx.get(identities, { channel, subject, principal: ctx.who.name });
  if (row === undefined) throw new Refusal('not_found', `${address} is not linked to you.`);
  checkOrigin(row, address);
  await ctx.tx.remove(identities, { id: row.id });
  await ctx.emit('identity.unlinked', ctx.who.name, { channel, subject });
  const data = { identities: await identitiesOf(ctx, ctx.who.name) };
  return { text: `What comes from ${address} is no longer yours.`, data };
}
