import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addRefresh } from '../../src/core/bearer-grants.ts';
import { syncCatalog } from '../../src/core/catalog-sync.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import { identities, keys, principals, roles } from '../../src/domain/principal.ts';
import { refreshTokens, subscriptions } from '../../src/domain/records.ts';
import { createHarness, testCatalog, type Harness } from '../support/harness.ts';
import { approval, events, identity, onSlack, rows } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

const sync = (over: Partial<Catalog> = {}) =>
  h.store.transaction('main', (tx) => syncCatalog(tx, testCatalog(over)));
const person = async (name: string) => (await rows(h, principals, { where: { name } }))[0];
const { roles: ROLES, principals: PEOPLE } = testCatalog();

test('writes once, and an unchanged file writes nothing at the next start', async () => {
  expect(await sync()).toBe(false);
  expect(await events(h, /^config\.applied$/)).toHaveLength(1);
  expect((await events(h, /^config\.applied$/))[0]).toMatchObject({
    actor: 'system',
    target: 'main',
    details: { principals: ['ana', 'ben', 'cho', 'vic', 'bot'] },
  });
});

describe('a change of the file', () => {
  test('gives and takes roles at once', async () => {
    expect(
      await sync({ principals: PEOPLE.map((p) => (p.name === 'vic' ? { ...p, roles: ['operator'] } : p)) }),
    ).toBe(true);
    expect((await h.run('vic', 'task create x')).status).toBe('ok');
    await sync();
    expect((await h.run('vic', 'task create y')).error?.code).toBe('forbidden');
    expect(await events(h, /^config\.applied$/)).toHaveLength(3);
  });

  test('changes what a role allows', async () => {
    await sync({ roles: ROLES.map((r) => (r.name === 'viewer' ? { ...r, permissions: ['task:*'] } : r)) });
    expect((await h.run('vic', 'task create x')).status).toBe('ok');
  });

  test('disables who is no longer named, whom the journal still names, and ends their addresses', async () => {
    await sync({ principals: PEOPLE.filter((p) => p.name !== 'vic') });
    expect(await person('vic')).toMatchObject({ disabled: true, origin: 'config' });
    expect((await h.run('vic', 'status')).error?.code).toBe('forbidden');
    expect(await rows(h, identities, { where: { principal: 'vic' } })).toEqual([]);
    expect(await sync({ principals: PEOPLE.filter((p) => p.name !== 'vic') })).toBe(false);
    await sync();
    expect(await person('vic')).toMatchObject({ disabled: false });
    expect((await h.run('', 'status', onSlack('vic'))).status).toBe('ok');
  });

  test('moves an address from one to another', async () => {
    const moved = PEOPLE.map((p) => {
      if (p.name === 'ben') return { ...p, identities: [] };
      const bens = PEOPLE.find((q) => q.name === 'ben')?.identities ?? [];
      return p.name === 'cho' ? { ...p, identities: [...p.identities, ...bens] } : p;
    });
    await sync({ principals: moved });
    expect((await h.run('', 'whoami', onSlack('ben'))).reply.text).toContain('You are cho');
  });
});

describe('somebody whom the file no longer names', () => {
  const without = (name: string) => ({ principals: PEOPLE.filter((p) => p.name !== name) });

  test('loses every way in, and gets none of them back by being named again', async () => {
    await h.run('ana', 'person link ben github:77');
    await h.run('ben', 'subscribe task.created --to slack:C7');
    const made = await h.run('ana', 'key create desk --for ben');
    const { id } = made.reply.data as { id: string };
    await h.store.transaction('main', async (tx) => {
      const key = await tx.get(keys, { id });
      if (key) await addRefresh(tx, key, 'a-fake-refresh-token');
    });
    const left = () =>
      Promise.all([
        rows(h, identities, { where: { principal: 'ben', origin: 'named' } }),
        rows(h, keys, { where: { principal: 'ben', revokedAt: null } }),
        rows(h, refreshTokens, { where: { principal: 'ben' } }),
        rows(h, subscriptions, { where: { principal: 'ben' } }),
      ]);
    expect((await left()).map((found) => found.length)).toEqual([1, 1, 1, 1]);
    await sync(without('ben'));
    expect(await left()).toEqual([[], [], [], []]);
    expect(await events(h, /^key\.revoked$/)).toMatchObject([{ actor: 'system', target: id }]);
    await sync();
    expect(await left()).toEqual([[], [], [], []]);
    expect((await h.run('', 'whoami', onSlack('ben'))).reply.text).toContain('You are ben');
    expect((await h.run('', 'whoami', { from: identity('key', id) })).error?.code).toBe('forbidden');
  });

  test('and whose name comes back does not carry an old vote', async () => {
    await h.run('ana', 'job run deploy --env staging');
    await h.run('ben', 'approve APR-1');
    await sync(without('ben'));
    h.clock.pass(MINUTE);
    await sync();
    expect((await h.run('cho', 'approve APR-1')).reply.text).toContain('it needs 2 in all');
    expect((await approval(h)).state).toBe('pending');
  });
});

describe('what commands made', () => {
  test('stays', async () => {
    await h.run('ana', 'role add extra task:read');
    await h.run('ana', 'person add eve --roles extra --identity slack:T1/UEVE');
    expect(await sync()).toBe(false);
    expect(await person('eve')).toMatchObject({ disabled: false, origin: 'command' });
    expect(await rows(h, roles, { where: { name: 'extra' } })).toHaveLength(1);
    expect((await h.run('', 'whoami', onSlack('eve'))).reply.text).toContain('You are eve');
  });

  test('is claimed when the file names it, and may then not be changed by commands', async () => {
    await h.run('ana', 'person add eve');
    const eve = { name: 'eve', kind: 'person', display: 'Eve', roles: ['viewer'], identities: [] } as const;
    await sync({ principals: [...PEOPLE, eve] });
    expect(await person('eve')).toMatchObject({ origin: 'config', roles: ['viewer'] });
    expect((await h.run('ana', 'role grant operator eve')).error?.code).toBe('conflict');
  });
});
