import { formatKey, hashSecret, keyParts, newSecret } from './core/secrets.ts';
import type { Store, Tx } from './core/store.ts';
import { Refusal } from './domain/errors.ts';
import { keys, principals } from './domain/principal.ts';

/** The person that the first start creates, unless the configuration file defines one of that name. */
export const ADMIN = 'admin';
const FROM_ENVIRONMENT = 'SIGNALBOX_ADMIN_TOKEN';

/**
 * Sees to it that somebody can administer: creates the first administrator and a key, whose token is returned this one
 * time; with a chosen token (`SIGNALBOX_ADMIN_TOKEN`) that one is good instead, and earlier chosen ones no longer are.
 */
export async function ensureAdmin(
  store: Store,
  workspace: string,
  chosen: string | undefined,
): Promise<string | undefined> {
  return store.transaction(workspace, async (tx) => {
    const first = !(await tx.get(principals, { name: ADMIN }));
    if (first) await addAdmin(tx);
    if (chosen !== undefined) {
      await useChosen(tx, chosen);
      return undefined;
    }
    const anyKey = await tx.get(keys, { principal: ADMIN });
    return anyKey ? undefined : issueKey(tx, ADMIN, 'first start');
  });
}

/** A new key for somebody, made by whoever can write the database file: the way back in when every token is lost. */
export async function issueKey(tx: Tx, principal: string, label: string): Promise<string> {
  const id = tx.id();
  const secret = newSecret();
  await addKey(tx, id, principal, label, secret);
  return formatKey(id, secret);
}

async function addAdmin(tx: Tx): Promise<void> {
  await tx.insert(principals, {
    id: tx.id(),
    name: ADMIN,
    kind: 'person',
    display: 'Administrator',
    roles: ['admin'],
    disabled: false,
    origin: 'command',
    createdBy: null,
    createdAt: tx.now,
  });
  await append(tx, 'person.added', ADMIN, { roles: ['admin'], reason: 'first start' });
}

async function useChosen(tx: Tx, token: string): Promise<void> {
  const { id, secret } = keyParts(token);
  const hash = hashSecret(secret);
  if ((await tx.get(keys, { id }))?.revokedAt)
    throw new Refusal('conflict', `The token in ${FROM_ENVIRONMENT} was revoked; choose another one.`);
  const earlier = await tx.find(keys, {
    where: { label: FROM_ENVIRONMENT, principal: ADMIN, revokedAt: null },
  });
  for (const key of earlier) {
    if (key.id === id && key.hash === hash) return;
    // Gone, not marked as revoked: that mark stays for what somebody revoked on purpose.
    await tx.remove(keys, { id: key.id });
    await append(tx, 'key.revoked', key.id, { principal: ADMIN });
  }
  // A key that the administrator has already, such as that of the first start, becomes the chosen one.
  await tx.remove(keys, { id, hash, principal: ADMIN });
  await addKey(tx, id, ADMIN, FROM_ENVIRONMENT, secret);
}

async function addKey(tx: Tx, id: string, principal: string, label: string, secret: string): Promise<void> {
  await tx.insert(keys, {
    id,
    principal,
    label,
    hash: hashSecret(secret),
    scopes: ['*'],
    expiresAt: null,
    revokedAt: null,
    createdBy: null,
    createdAt: tx.now,
  });
  await append(tx, 'key.created', id, { principal, label });
}

function append(tx: Tx, event: string, target: string, details: Record<string, string | string[]>) {
  return tx.append({ event, actor: 'system', target, correlationId: tx.id(), cause: null, details });
}
