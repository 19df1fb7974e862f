import { DAY, SECOND } from '../domain/clock.ts';
import { sha256, type JsonObject } from '../domain/json.ts';
import { keys, principals, type KeyRow } from '../domain/principal.ts';
import { refreshTokens, tickets } from '../domain/records.ts';
import type { Tx } from './store.ts';

/** A family of refresh tokens ends a week after its last use, or with its key. */
const REFRESH_LIFE = 7 * DAY;
export const TICKET_LIFE = 30 * SECOND;

/** The key behind an id, while it holds: neither revoked nor expired, and its owner still there. */
export async function liveKey(tx: Tx, id: string): Promise<KeyRow | undefined> {
  const key = await tx.get(keys, { id });
  if (key === undefined || key.revokedAt !== null) return undefined;
  if (key.expiresAt !== null && key.expiresAt <= tx.now) return undefined;
  const owner = await tx.get(principals, { name: key.principal });
  return owner?.disabled === false ? key : undefined;
}

/** Stores a refresh token of a family; the first of a new one sweeps out those that are over. */
export async function addRefresh(tx: Tx, key: KeyRow, token: string, family?: string): Promise<void> {
  if (family === undefined) await tx.remove(refreshTokens, { expiresAt: { atMost: tx.now } });
  await tx.insert(refreshTokens, {
    id: sha256(token),
    family: family ?? tx.id(),
    key: key.id,
    principal: key.principal,
    scopes: key.scopes,
    expiresAt: new Date(tx.now.getTime() + REFRESH_LIFE),
    usedAt: null,
  });
}

/** A refresh token that was not used yet; undefined for any other. */
export async function unusedRefresh(
  tx: Tx,
  token: string,
): Promise<{ key: string; scopes: readonly string[] } | undefined> {
  const row = await tx.get(refreshTokens, { id: sha256(token) });
  return row?.usedAt === null ? row : undefined;
}

/**
 * Uses a refresh token up and returns its key and family; undefined when it does not hold. Using one again means that
 * it was copied, so its family ends (RFC 9700 section 4.14.2) and the journal says so. Returns instead of throwing,
 * because what ends has to be committed.
 */
export async function useRefresh(
  tx: Tx,
  token: string,
): Promise<{ key: KeyRow; family: string } | undefined> {
  const row = await tx.get(refreshTokens, { id: sha256(token) });
  if (row === undefined || row.expiresAt <= tx.now) return undefined;
  const { family } = row;
  const key = await liveKey(tx, row.key);
  if (key === undefined || row.usedAt !== null) {
    await tx.remove(refreshTokens, { family });
    if (row.usedAt !== null) await tellReuse(tx, row.principal, row.key, family);
    return undefined;
  }
  await tx.update(refreshTokens, row, { usedAt: tx.now });
  return { key, family };
}

async function tellReuse(tx: Tx, actor: string, key: string, family: string): Promise<void> {
  const correlationId = tx.id();
  await tx.append({
    event: 'key.refresh_reused',
    actor,
    target: key,
    correlationId,
    cause: null,
    details: { family },
  });
}

export async function addTicket(tx: Tx, ticket: string, identity: JsonObject): Promise<void> {
  await tx.remove(tickets, { expiresAt: { atMost: tx.now } });
  await tx.insert(tickets, {
    id: sha256(ticket),
    identity,
    expiresAt: new Date(tx.now.getTime() + TICKET_LIFE),
  });
}

/** Takes a ticket out for good; undefined when it is unknown, used or over. */
export async function takeTicket(tx: Tx, ticket: string): Promise<JsonObject | undefined> {
  const id = sha256(ticket);
  const row = await tx.get(tickets, { id });
  if (row === undefined || (await tx.remove(tickets, { id })) !== 1) return undefined;
  return row.expiresAt > tx.now ? row.identity : undefined;
}
