import type { Ctx } from '../../src/core/command.ts';
import { formatKey, hashSecret, newSecret } from '../../src/core/secrets.ts';
import { DAY } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { keys, type KeyRow } from '../../src/domain/principal.ts';

const USUAL_LIFE = 90 * DAY;
export const LONGEST_LIFE = 366 * DAY;
const MOST_KEYS = 100;

interface NewKey {
  readonly principal: string;
  readonly label: string;
  readonly scopes: readonly string[];
  /** Milliseconds; 90 days unless told. */
  readonly life?: number;
}

/** Makes a key and journals it. The secret is nowhere but in what is returned. Permission is the caller's to check. */
export async function addKey(ctx: Ctx, wanted: NewKey): Promise<{ row: KeyRow; secret: string }> {
  const { principal, label, scopes, life = USUAL_LIFE } = wanted;
  if ((await ctx.tx.count(keys, { principal, revokedAt: null, expiresAt: { above: ctx.now } })) >= MOST_KEYS)
    throw new Refusal(
      'conflict',
      `${principal} has ${MOST_KEYS} keys, which is the most; revoke some first.`,
    );
  const secret = newSecret();
  const row = await ctx.tx.insert(keys, {
    id: ctx.tx.id(),
    principal,
    label,
    hash: hashSecret(secret),
    scopes,
    expiresAt: new Date(ctx.now.getTime() + life),
    revokedAt: null,
    createdBy: ctx.who.name,
    createdAt: ctx.now,
  });
  await ctx.emit('key.created', row.id, {
    owner: principal,
    label,
    scopes,
    expiresAt: row.expiresAt?.toISOString() ?? null,
  });
  return { row, secret: formatKey(row.id, secret) };
}

/** The one JSON form of a key, without its hash. */
export function keyView(row: KeyRow): JsonObject {
  return {
    id: row.id,
    version: row.version,
    owner: row.principal,
    label: row.label,
    scopes: row.scopes,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  };
}
