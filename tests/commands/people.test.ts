import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { contains } from '../../commands/shared/grants.ts';
import { keyParts } from '../../src/core/secrets.ts';
import { verified, type Answer, type Inbound } from '../../src/core/message.ts';
import type { Json } from '../../src/domain/json.ts';
import { keys } from '../../src/domain/principal.ts';
import type { Harness } from '../support/harness.ts';
import { seeded } from './seed.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await seeded();
});
afterEach(() => harness.close());

const run = (text: string, who = 'ana', over: Partial<Inbound> = {}): Promise<Answer> =>
  harness.run(who, text, over);
const data = (answer: Answer): Record<string, Json> => answer.reply.data as Record<string, Json>;
const code = (answer: Answer) => answer.error?.code;

/** A message by the bearer of a key with these scopes. */
const narrowed = (who: string, ...scopes: string[]): Partial<Inbound> => ({
  from: verified({ workspace: 'main', channel: 'principal', subject: who, assurance: 'key', scopes }),
});

async function events(...names: string[]): Promise<string[]> {
  return (await harness.entries())
    .filter((e) => names.includes(e.event))
    .map((e) => `${e.event} ${e.target}`);
}

describe('person', () => {
  test('add makes somebody who can act, with identities and a key shown once', async () => {
    const answer = await run('person add eve --roles operator --identity email:EVE@example.test --key');
    expect(data(answer)).toMatchObject({ id: 'eve', kind: 'person', identities: ['email:eve@example.test'] });
    expect(data(answer)['key']).toMatch(/^sb_[0-9a-f-]{36}_[\w-]{43}$/);
    expect((await run('task create x', 'eve')).status).toBe('ok');
    expect(await events('person.added', 'identity.linked')).toContain('person.added eve');
    const journal = JSON.stringify(await harness.entries());
    expect(journal).not.toContain(keyParts(data(answer)['key'] as string).secret);
  });

  test.each(['Eve', 'system', '9lives', 'a b'])('refuses the name %j', async (name) => {
    expect(code(await harness.run('ana', { command: 'person.add', args: { name } }))).toBe(
      'invalid_argument',
    );
  });

  test('refuses a name, an address or a role that is not free or not there', async () => {
    expect(code(await run('person add ben'))).toBe('conflict');
    expect(code(await run('person add eve --identity email:ben@example.test'))).toBe('conflict');
    expect((await run('person add eve --roles opertor')).reply.text).toContain('Did you mean operator?');
    expect(code(await run('person show eve'))).toBe('not_found');
  });

  test('remove ends every way in; the name stays who it was', async () => {
    await run('key create old --for dan');
    await run('person remove dan');
    expect(code(await run('task list', 'dan'))).toBe('forbidden');
    expect((await run('person list')).reply.text).not.toContain('dan');
    expect(code(await run('task create x --owner dan'))).toBe('not_found');
    const rows = await harness.store.transaction('main', (tx) =>
      tx.find(keys, { where: { principal: 'dan' } }),
    );
    expect(rows.every((row) => row.revokedAt !== null)).toBe(true);
    expect(code(await run('person add dan --kind agent'))).toBe('conflict');
    expect(data(await run('person add dan --roles viewer'))).toMatchObject({
      roles: ['viewer'],
      identities: [],
    });
    expect((await run('task list', 'dan')).status).toBe('ok');
  });

  test('what the configuration file defines stays as it is', async () => {
    const answer = await run('person remove ben');
    expect(code(answer)).toBe('conflict');
    expect(answer.reply.text).toContain('signalbox.yaml');
    expect(code(await run('role grant viewer ben'))).toBe('conflict');
    expect(code(await run('role revoke operator ben'))).toBe('conflict');
    expect(code(await run('role remove viewer'))).toBe('conflict');
  });

  test('takes the permission', async () => {
    for (const text of [
      'person add eve',
      'person list',
      'role add x task:read',
      'role grant viewer dan',
      'person link dan github:1',
    ])
      expect(code(await run(text, 'vic')), text).toBe('forbidden');
  });
});

describe('role', () => {
  test('granted and revoked, it counts at once', async () => {
    await run('role add greeter person:read');
    expect(code(await run('person list', 'dan'))).toBe('forbidden');
    expect(data(await run('role grant greeter dan'))['roles']).toEqual(['operator', 'greeter']);
    expect((await run('person list', 'dan')).status).toBe('ok');
    expect(code(await run('role remove greeter'))).toBe('conflict');
    expect(data(await run('role revoke greeter dan'))['roles']).toEqual(['operator']);
    expect(code(await run('person list', 'dan'))).toBe('forbidden');
    expect((await run('role remove greeter')).status).toBe('ok');
    expect(await events('role.added', 'role.granted', 'role.revoked', 'role.removed')).toEqual([
      'role.added unused',
      'role.added greeter',
      'role.granted dan',
      'role.revoked dan',
      'role.removed greeter',
    ]);
  });

  test('nobody gives more than they hold', async () => {
    await run('role add steward person:* role:admin key:* task:*');
    await run('person add sue --roles steward');
    expect(code(await run('role add boss *', 'sue'))).toBe('forbidden');
    expect((await run('role add helper task:read', 'sue')).status).toBe('ok');
    expect(code(await run('role grant admin dan', 'sue'))).toBe('forbidden');
    expect(code(await run('person add eve --roles admin', 'sue'))).toBe('forbidden');
    expect(code(await run('key create mine --for ana', 'sue'))).toBe('forbidden');
    expect((await run('key create mine --for ana --scopes task:read', 'sue')).status).toBe('ok');
    expect(code(await run('person link ana slack:T1/UEVIL', 'sue'))).toBe('forbidden');
    expect(code(await run('role grant helper dan', 'ana', narrowed('ana', 'role:admin')))).toBe('forbidden');
  });

  test('taking a denial away gives something', async () => {
    await run('role add nopeople * !person:*');
    await run('role add all *');
    await run('role add steward role:admin');
    await run('person add zoe --roles all --roles nopeople');
    await run('person add sue --roles steward');
    expect(code(await run('role revoke nopeople zoe', 'sue'))).toBe('forbidden');
    expect((await run('role revoke all zoe', 'sue')).status).toBe('ok');
  });
});

test('the last person who can administer people stays', async () => {
  // With ana of the configuration file there is always one; without her grant there is not.
  const { createHarness, testCatalog } = await import('../support/harness.ts');
  const own = await createHarness({ principals: testCatalog().principals.filter((p) => p.name === 'ana') });
  try {
    await own.run('ana', 'person add root --roles admin');
    await own.run('ana', 'person add robot --kind agent --roles admin');
    await own.store.transaction('main', async (tx) => {
      const { principals } = await import('../../src/domain/principal.ts');
      const ana = await tx.get(principals, { name: 'ana' });
      if (ana) await tx.update(principals, ana, { disabled: true });
    });
    expect((await own.run('root', 'role revoke admin root')).error?.code).toBe('conflict');
    expect((await own.run('root', 'person remove root')).error?.code).toBe('conflict');
    await own.run('root', 'person add heir --roles admin');
    expect((await own.run('root', 'person remove root')).status).toBe('ok');
  } finally {
    await own.close();
  }
});

describe('key', () => {
  test('is shown once and listed without its secret', async () => {
    const made = data(await run('key create laptop --expires 30d --scopes task:*'));
    expect(made).toMatchObject({
      owner: 'ana',
      label: 'laptop',
      scopes: ['task:*'],
      expiresAt: '2026-04-01T09:00:00.000Z',
    });
    const listed = JSON.stringify(await run('key list'));
    expect(listed).toContain('laptop');
    expect(listed).not.toContain(keyParts(made['key'] as string).secret);
    expect(code(await run('key create laptop'))).toBe('conflict');
    expect(code(await run('key create long --expires 367d'))).toBe('invalid_argument');
  });

  test('is for oneself, and within one’s own scopes', async () => {
    await run('role add keeper key:create task:read');
    await run('role grant keeper dan');
    expect((await run('key create mine', 'dan')).status).toBe('ok');
    expect(code(await run('key create theirs --for bot', 'dan'))).toBe('forbidden');
    expect(code(await run('key list --for bot', 'dan'))).toBe('forbidden');
    expect(code(await run('key revoke desk', 'dan'))).toBe('not_found');
    const narrow = narrowed('dan', 'key:create', 'task:read');
    expect(code(await run('key create wide --scopes *', 'dan', narrow))).toBe('forbidden');
    expect(data(await run('key create same', 'dan', narrow))['scopes']).toEqual(['key:create', 'task:read']);
    expect(code(await run('key rotate mine', 'dan', narrow))).toBe('forbidden');
  });

  test('reaches no further than the one it was made with, whatever roles come later', async () => {
    await run('role add keeper key:create person:admin task:read');
    await run('role revoke operator dan');
    await run('role grant keeper dan');
    // All that the roles give is within these scopes today.
    const narrow = narrowed('dan', 'key:create', 'person:admin', 'task:*');
    const wide = await run('key create wide --scopes *', 'dan', narrow);
    expect(code(wide)).toBe('forbidden');
    expect(wide.reply.text).toContain('the key would reach further than the key you use');
    expect((await run('key create wide --scopes *', 'dan')).status).toBe('ok');
    expect(code(await run('key rotate wide', 'dan', narrow))).toBe('forbidden');
    await run('person add eve --roles keeper --key', 'dan', narrow);
    expect(data(await run('key list --for eve'))['items']).toMatchObject([
      { label: 'first key', scopes: ['key:create', 'person:admin', 'task:*'] },
    ]);
  });

  test('is not shown where others read along', async () => {
    for (const channel of ['slack', 'email', 'webhook'] as const) {
      expect(code(await run('key create chat', 'ana', { channel }))).toBe('conflict');
      expect(code(await run('person add eve --key', 'ana', { channel }))).toBe('conflict');
    }
  });

  test('rotates with and without overlap, and ends', async () => {
    const first = data(await run('key create one'));
    const second = data(await run('key rotate one'));
    expect(second).toMatchObject({ label: 'one', replaces: first['id'] });
    expect(code(await run(`key revoke ${first['id'] as string}`))).toBe('not_found');
    await run('key rotate one --overlap 1h');
    const held = data(await run('key list'))['items'] as { label: string; expiresAt: string }[];
    expect(held.find((k) => k.label === 'one (old)')?.expiresAt).toBe('2026-03-02T10:00:00.000Z');
    expect((await run('key revoke one')).status).toBe('ok');
    expect(await events('key.rotated')).toHaveLength(2);
  });
});

describe('contains', () => {
  test.each([
    [['*'], ['task:read', '*'], true],
    [['task:*'], ['task:read', 'task:*'], true],
    [['task:*'], ['*:read'], false],
    [['*:read'], ['task:read'], true],
    [['*:read'], ['task:*'], false],
    [['*', '!audit:*'], ['*'], false],
    [['*', '!audit:*'], ['task:*'], true],
    [['*', '!audit:*'], ['*', '!audit:*'], true],
    [['*', '!audit:export'], ['audit:*'], false],
    [['*', '!*:export'], ['audit:*'], false],
    [['task:read'], [], true],
    [['task:read'], ['!task:read', 'task:read'], true],
    [[], ['task:read'], false],
  ])('%j holds %j: %j', (bound, patterns, expected) => {
    expect(contains(bound, patterns)).toBe(expected);
  });
});
