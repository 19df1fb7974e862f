import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VerifiedIdentity } from '../../src/core/message.ts';
import type { Rule, Source } from '../../src/domain/catalog.ts';
import { DAY } from '../../src/domain/clock.ts';
import { may, type Permission } from '../../src/domain/permission.ts';
import { keys, principals } from '../../src/domain/principal.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { identity } from './support.ts';

const rule = (command: string, over: Partial<Rule> = {}): Rule => ({
  name: command,
  when: 'true',
  command,
  args: {},
  as: undefined,
  ...over,
});
const ci: Source = {
  name: 'ci',
  kind: 'github',
  secrets: [],
  signatureHeader: undefined,
  deliveryHeader: undefined,
  rules: [
    rule('task.create'),
    rule('help'),
    rule('task.move', { as: 'payload.sender.id' }),
    rule('job.run', { name: 'restart', args: { runbook: `'restart'` } }),
    rule('job.run', { name: 'any', args: { runbook: 'payload.runbook' } }),
  ],
};

let h: Harness;
beforeEach(async () => {
  h = await createHarness({ sources: new Map([['ci', ci]]) });
});
afterEach(() => h.close());

const resolve = (from: VerifiedIdentity) =>
  h.store.transaction('main', (tx) => h.directory.resolve(tx, from));

test.each([
  ['slack', 'T1/UBEN', 'ben'],
  ['email', 'ben@example.test', 'ben'],
  ['principal', 'ben', 'ben'],
  ['slack', 'T2/UBEN', undefined],
  ['slack', 'ben', undefined],
  ['email', 'T1/UBEN', undefined],
  ['github', 'ben', undefined],
  ['principal', 'nobody', undefined],
  ['key', 'ben', undefined],
  ['source', 'ben', undefined],
])('%s %s is %s', async (channel, subject, name) => {
  expect((await resolve(identity(channel, subject)))?.name).toBe(name);
});

test('permissions are those of the roles as they stand, narrowed by the scopes that came with the proof', async () => {
  const ben = await resolve(identity('slack', 'T1/UBEN', { scopes: ['task:*'] }));
  expect(ben).toMatchObject({ kind: 'person', roles: ['operator', 'approver'], scopes: ['task:*'] });
  expect(ben?.permissions).toEqual(expect.arrayContaining(['task:*', 'approval:decide']));
  await h.run('ana', 'person add eve');
  expect(await resolve(identity('principal', 'eve'))).toMatchObject({ roles: [], permissions: [] });
});

describe('a key', () => {
  const create = async (flags = '') => {
    const answer = await h.run('ana', `key create desk ${flags}`);
    return (answer.reply.data as { id: string }).id;
  };

  test('is its owner until it is revoked', async () => {
    const id = await create();
    expect((await resolve(identity('key', id)))?.name).toBe('ana');
    await h.run('ana', `key revoke ${id}`);
    expect(await resolve(identity('key', id))).toBeUndefined();
  });

  test('or over', async () => {
    const id = await create('--expires 1d');
    h.clock.pass(DAY - 1);
    expect((await resolve(identity('key', id)))?.name).toBe('ana');
    h.clock.pass(1);
    expect(await resolve(identity('key', id))).toBeUndefined();
  });
});

describe('a source', () => {
  const allowed = async (wanted: Permission) => {
    const who = await resolve(identity('source', 'ci'));
    return who !== undefined && may(who, wanted);
  };

  test('may do what its own rules name, and nothing else', async () => {
    expect(await resolve(identity('source', 'ci'))).toMatchObject({
      name: 'source:ci',
      kind: 'source',
      roles: [],
    });
    expect(await allowed('task:create')).toBe(true);
    expect(await allowed('job:run')).toBe(true);
    expect(await allowed('task:move')).toBe(false);
    expect(await allowed('task:read')).toBe(false);
  });

  test('may run a runbook that a rule names outright, and none that a payload names', async () => {
    expect(await allowed('runbook:restart')).toBe(true);
    expect(await allowed('runbook:deploy')).toBe(false);
    const over = { channel: 'webhook', from: identity('source', 'ci') } as const;
    expect((await h.run('', 'job run restart', over)).status).toBe('ok');
    expect((await h.run('', 'job run deploy --env staging', over)).error?.code).toBe('forbidden');
  });

  test('is found by its name again, so that an approval can release what it asked for', async () => {
    const found = await h.store.transaction('main', (tx) => h.directory.byName(tx, 'source:ci'));
    expect(found?.permissions).toContain('task:create');
    expect(await h.store.transaction('main', (tx) => h.directory.byName(tx, 'source:gone'))).toBeUndefined();
  });

  test('cannot be taken for a person, nor a person made with its name', async () => {
    expect(await resolve(identity('principal', 'source:gone'))).toBeUndefined();
    expect((await h.run('ana', 'person add source:ci')).error?.code).toBe('invalid_argument');
  });
});

describe('what is remembered of a principal', () => {
  const ben = identity('slack', 'T1/UBEN');
  const setRoles = (roles: readonly string[], after: () => Promise<unknown>) =>
    h.store.transaction('main', async (tx) => {
      expect((await h.directory.resolve(tx, ben))?.roles).toEqual(['operator', 'approver']);
      const row = await tx.get(principals, { name: 'ben' });
      if (row) await tx.update(principals, row, { roles });
      expect((await h.directory.resolve(tx, ben))?.roles).toEqual(roles);
      return after();
    });

  test('a change counts for what follows in its own transaction, and for everybody once it is made', async () => {
    await setRoles(['viewer'], async () => undefined);
    expect((await resolve(ben))?.roles).toEqual(['viewer']);
  });

  test('a change that is undone counts for nobody', async () => {
    await expect(setRoles(['viewer'], () => Promise.reject(new Error('undone')))).rejects.toThrow('undone');
    expect((await resolve(ben))?.roles).toEqual(['operator', 'approver']);
  });

  test('a key ends by time alone', async () => {
    await h.store.transaction('main', (tx) =>
      tx.insert(keys, {
        id: 'brief',
        principal: 'ben',
        label: '',
        hash: '',
        scopes: ['*'],
        expiresAt: new Date(tx.now.getTime() + DAY),
        revokedAt: null,
        createdBy: null,
        createdAt: tx.now,
      }),
    );
    expect((await resolve(identity('key', 'brief')))?.name).toBe('ben');
    h.clock.pass(DAY);
    expect(await resolve(identity('key', 'brief'))).toBeUndefined();
  });
});
