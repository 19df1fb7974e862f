import type { Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { identities, type IdentityOrigin, type PrincipalRow } from '../../src/domain/principal.ts';
import { readIdentity } from '../shared/fields.ts';

/** The one JSON form of a person or agent. */
export function personView(row: PrincipalRow, linked?: readonly string[]): JsonObject {
  return {
    id: row.name,
    version: row.version,
    kind: row.kind,
    display: row.display,
    roles: row.roles,
    origin: row.origin,
    disabled: row.disabled,
    createdAt: row.createdAt.toISOString(),
    ...(linked && { identities: linked }),
  };
}

export async function identitiesOf(ctx: Ctx, name: string): Promise<string[]> {
  const rows = await ctx.tx.find(identities, {
    where: { principal: name },
    orderBy: [{ column: 'id' }],
    limit: 100,
  });
  return rows.map((row) => `${row.channel}:${row.subject}`);
}

/**
 * Ties an address to somebody. What its owner tied with a code, an administrator may name later, so that it holds for a
 * guest as well. @throws Refusal `conflict` when it is tied already.
 */
export async function tie(
  ctx: Ctx,
  name: string,
  identity: string,
  origin: Exclude<IdentityOrigin, 'config'>,
): Promise<void> {
  const { channel, subject } = readIdentity(identity);
  const taken = await ctx.tx.get(identities, { channel, subject });
  if (taken?.principal === name && taken.origin === 'command' && origin === 'named') {
    await ctx.tx.update(identities, taken, { origin });
    await ctx.emit('identity.linked', name, { channel, subject, origin });
    return;
  }
  if (taken) throw new Refusal('conflict', `${channel}:${subject} already belongs to ${taken.principal}.`);
  await ctx.tx.insert(identities, {
    id: ctx.tx.id(),
    principal: name,
    channel,
    subject,
    origin,
    createdAt: ctx.now,
  });
  await ctx.emit('identity.linked', name, { channel, subject, origin });
}
