import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { ADMIN, ensureAdmin } from '../../src/admin.ts';
import { liveKey } from '../../src/core/bearer-grants.ts';
import { hashSecret, keyParts } from '../../src/core/secrets.ts';
import { keys } from '../../src/domain/principal.ts';
import { openSqlite, type SqliteStore } from '../../src/store/sqlite/store.ts';
import { tempFolder } from '../support/temp.ts';

let store: SqliteStore;
beforeEach(() => {
  store = openSqlite({ path: join(tempFolder(), 'test.db') });
  onTestFinished(() => store.close());
});

const ONE = 'an-example-token-of-the-administrator';
const OTHER = 'another-example-token-of-the-administrator';
const start = (chosen?: string) => ensureAdmin(store, 'main', chosen);
/** Whether a token lets the administrator in. */
const holds = async (token: string) => {
  const { id, secret } = keyParts(token);
  const key = await store.transaction('main', (tx) => liveKey(tx, id));
  return key?.principal === ADMIN && key.hash === hashSecret(secret);
};
/** As `key revoke` does. */
const revoke = (token: string) =>
  store.transaction('main', async (tx) => {
    const row = await tx.get(keys, { id: keyParts(token).id });
    if (row) await tx.update(keys, row, { revokedAt: tx.now });
  });

test('a chosen token holds alone among those chosen, and one may go back to an earlier one', async () => {
  for (const [chosen, left] of [
    [ONE, OTHER],
    [OTHER, ONE],
    [ONE, OTHER],
  ] as const) {
    expect(await start(chosen)).toBeUndefined();
    expect([await holds(chosen), await holds(left)]).toEqual([true, false]);
  }
  expect(await start(ONE)).toBeUndefined();
  expect(await holds(ONE)).toBe(true);
});

test('a chosen token that was revoked stays so: at the next start, and after another one was chosen', async () => {
  await start(ONE);
  await revoke(ONE);
  await expect(start(ONE)).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('SIGNALBOX_ADMIN_TOKEN was revoked') as string,
  });
  expect(await holds(ONE)).toBe(false);
  await start(OTHER);
  await expect(start(ONE)).rejects.toThrow('was revoked');
  expect([await holds(ONE), await holds(OTHER)]).toEqual([false, true]);
});

test('the token of the first start may be chosen', async () => {
  const first = (await start()) ?? '';
  for (const chosen of [first, OTHER, first, first]) {
    await start(chosen);
    expect([await holds(first), await holds(OTHER)]).toEqual([chosen === first, chosen === OTHER]);
  }
});
