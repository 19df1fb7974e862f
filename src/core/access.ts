import { identities, keys } from '../domain/principal.ts';
import { refreshTokens, subscriptions } from '../domain/records.ts';
import type { JsonObject } from '../domain/json.ts';
import type { Tx } from './store.ts';

/** Takes away all that lets somebody in: addresses, keys, tokens, subscriptions. `emit` journals each key that ends. */
export async function endAccess(
  tx: Tx,
  name: string,
  emit: (event: string, target: string, details: JsonObject) => Promise<unknown>,
): Promise<void> {
  await tx.remove(identities, { principal: name });
  await tx.remove(refreshTokens, { principal: name });
  await tx.remove(subscriptions, { principal: name });
  for (const key of await tx.find(keys, { where: { principal: name, revokedAt: null }, limit: 10_000 })) {
    await tx.update(keys, key, { revokedAt: tx.now });
    await emit('key.revoked', key.id, { owner: name, label: key.label });
  }
}
