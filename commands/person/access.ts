import type { Ctx } from '../../src/core/command.ts';
import { identities, keys } from '../../src/domain/principal.ts';
import { refreshTokens, subscriptions } from '../../src/domain/records.ts';

/** Ends every way in that somebody has: addresses, keys, tokens; and what is told to them. */
export async function endAccess(ctx: Ctx, name: string): Promise<void> {
  const { tx } = ctx;
  await tx.remove(identities, { principal: name });
  await tx.remove(refreshTokens, { principal: name });
  await tx.remove(subscriptions, { principal: name });
  for (const key of await tx.find(keys, { where: { principal: name, revokedAt: null }, limit: 10_000 })) {
    await tx.update(keys, key, { revokedAt: ctx.now });
    await ctx.emit('key.revoked', key.id, { owner: name, label: key.label });
  }
}
