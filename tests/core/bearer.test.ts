import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAuthenticator, type BearerAuthenticator } from '../../src/core/bearer.ts';
import { TICKET_LIFE } from '../../src/core/bearer-grants.ts';
import { hashSecret, keyParts } from '../../src/core/secrets.ts';
import { makeRsaKey } from '../../src/core/tokens-keys.ts';
import { TOKEN_LIFE } from '../../src/core/tokens.ts';
import { DAY } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { keys } from '../../src/domain/principal.ts';
import { refreshTokens, tickets } from '../../src/domain/records.ts';
import { createHarness, type Harness } from '../support/harness.ts';

const made = makeRsaKey();
let harness: Harness;
let auth: BearerAuthenticator;
let key: string;
let keyId: string;

beforeEach(async () => {
  harness = await createHarness();
  const { store, clock, directory } = harness;
  auth = createAuthenticator({
    store,
    clock,
    workspace: 'main',
    issuer: 'http://127.0.0.1:8080',
    makeKey: () => made,
    resolvePrincipal: (tx, identity) => directory.resolve(tx, identity),
  });
  const answer = await harness.run('ana', 'key create phone --scopes task:* --scopes key:create');
  key = (answer.reply.data as { key: string }).key;
  keyId = keyParts(key).id;
});
afterEach(async () => {
  auth.close();
  await harness.close();
});

const bearer = (token: string) => auth.bearer(`Bearer ${token}`);
const REFUSED = { code: 'unauthenticated', message: 'This key or token does not hold; ask for a new one.' };
const forKey = async () => (await bearer(key)).identity;

describe('an API key', () => {
  test('proves its owner with its scopes until it ends', async () => {
    const { identity, expiresAt } = await bearer(key);
    expect(identity).toEqual({
      workspace: 'main',
      channel: 'key',
      subject: keyId,
      assurance: 'key',
      scopes: ['task:*', 'key:create'],
    });
    expect(expiresAt).toEqual(new Date(harness.clock.now().getTime() + 90 * DAY));
    expect(await auth.principal(identity)).toMatchObject({ name: 'ana', scopes: ['task:*', 'key:create'] });
  });

  test.each(['', 'Bearer', 'Bearer ', 'Basic YTpi', 'Bearer a b', `Bearer ${'x'.repeat(5_000)}`, undefined])(
    'is asked for when the header is %j',
    async (header) => {
      await expect(auth.bearer(header)).rejects.toMatchObject({ code: 'unauthenticated' });
    },
  );

  test('is refused alike whatever is wrong with it', async () => {
    const { id, secret } = keyParts(key);
    const wrong = [
      `sb_${id}_${'A'.repeat(43)}`,
      `sb_unknown_${secret}`,
      `sb_${id}_${secret.slice(1)}`,
      key.toUpperCase(),
      'nonsense',
    ];
    for (const token of wrong) await expect(bearer(token), token).rejects.toMatchObject(REFUSED);
    await harness.run('ana', `key revoke ${id}`);
    await expect(bearer(key)).rejects.toMatchObject(REFUSED);
  });

  test('ends on time, also when it was seen before', async () => {
    await bearer(key);
    harness.clock.pass(90 * DAY);
    await expect(bearer(key)).rejects.toMatchObject(REFUSED);
  });

  test('costs no query when it was seen before, and counts at once when it is revoked', async () => {
    const { identity } = await bearer(key);
    await auth.principal(identity);
    const spy = vi.spyOn(harness.store, 'transaction');
    await bearer(key);
    await auth.principal(identity);
    expect(spy).not.toHaveBeenCalled();
    await harness.run('ana', `key revoke ${keyId}`);
    await expect(bearer(key)).rejects.toMatchObject(REFUSED);
    expect(await auth.principal(identity)).toBeUndefined();
  });

  test('is not remembered when it is revoked while it is being read', async () => {
    const [seen] = await Promise.allSettled([bearer(key), harness.run('ana', `key revoke ${keyId}`)]);
    expect(seen.status).toBe('fulfilled');
    await expect(bearer(key)).rejects.toMatchObject(REFUSED);
  });

  test('stands for nobody when it is revoked while its owner is being looked up', async () => {
    const { identity } = await bearer(key);
    // Both are in one group, however slow the machine is.
    vi.spyOn(performance, 'now').mockReturnValue(0);
    const looked = auth.principal(identity);
    await harness.store.transaction('main', async (tx) => {
      const row = await tx.get(keys, { id: keyId });
      if (row) await tx.update(keys, row, { revokedAt: tx.now });
    });
    expect(await looked).toBeUndefined();
  });

  test('of somebody removed does not hold, and a changed role counts at once', async () => {
    const answer = await harness.run('ana', 'person add eve --roles viewer --key');
    const theirs = (answer.reply.data as { key: string }).key;
    const { identity } = await bearer(theirs);
    expect((await auth.principal(identity))?.roles).toEqual(['viewer']);
    await harness.run('ana', 'role grant operator eve');
    expect((await auth.principal(identity))?.roles).toEqual(['viewer', 'operator']);
    await harness.run('ana', 'person remove eve');
    await expect(bearer(theirs)).rejects.toMatchObject(REFUSED);
    expect(await auth.principal(identity)).toBeUndefined();
  });

  test('may be a token that an operator chose', async () => {
    const chosen = 'an-obviously-fake-operator-token-for-tests';
    const { id, secret } = keyParts(chosen);
    await harness.store.transaction('main', (tx) =>
      tx.insert(keys, {
        id,
        principal: 'ana',
        label: 'chosen',
        hash: hashSecret(secret),
        scopes: ['*'],
        expiresAt: null,
        revokedAt: null,
        createdBy: null,
        createdAt: tx.now,
      }),
    );
    expect(await bearer(chosen)).toMatchObject({
      identity: { subject: id, scopes: ['*'] },
      expiresAt: undefined,
    });
    await expect(bearer(`${chosen}.`)).rejects.toMatchObject(REFUSED);
  });
});

describe('an access token', () => {
  test('stands for its key for 15 minutes', async () => {
    const pair = await auth.issueTokens(await forKey());
    expect(pair.expiresIn).toBe(900);
    const { identity, expiresAt } = await bearer(pair.accessToken);
    expect(identity).toMatchObject({
      channel: 'key',
      subject: keyId,
      assurance: 'token',
      scopes: ['task:*', 'key:create'],
    });
    expect(expiresAt).toEqual(new Date(harness.clock.now().getTime() + TOKEN_LIFE));
    harness.clock.pass(TOKEN_LIFE);
    await expect(bearer(pair.accessToken)).rejects.toMatchObject(REFUSED);
  });

  test('ends with its key, also when it was seen before', async () => {
    const { accessToken } = await auth.issueTokens(await forKey());
    await bearer(accessToken);
    await harness.run('ana', `key revoke ${keyId}`);
    await expect(bearer(accessToken)).rejects.toMatchObject(REFUSED);
  });

  test('cannot beget others, and is tied to its workspace and issuer', async () => {
    const { accessToken } = await auth.issueTokens(await forKey());
    await expect(auth.issueTokens((await bearer(accessToken)).identity)).rejects.toMatchObject({
      code: 'forbidden',
    });
    const { store, clock } = harness;
    for (const other of [
      { workspace: 'main', issuer: 'http://elsewhere.example.test' },
      { workspace: 'other', issuer: 'http://127.0.0.1:8080' },
    ]) {
      const stranger = createAuthenticator({
        store,
        clock,
        ...other,
        makeKey: () => made,
        resolvePrincipal: async () => undefined,
      });
      await expect(stranger.bearer(`Bearer ${accessToken}`)).rejects.toMatchObject(REFUSED);
      stranger.close();
    }
  });

  test('survives a rotation of the signing keys', async () => {
    const { accessToken } = await auth.issueTokens(await forKey());
    await auth.keyRing.rotate();
    expect((await auth.jwks()).keys).toHaveLength(2);
    await expect(bearer(accessToken)).resolves.toBeDefined();
  });
});

describe('a refresh token', () => {
  test('gives a new pair once', async () => {
    const first = await auth.issueTokens(await forKey());
    const second = await auth.refresh(first.refreshToken);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    await expect(bearer(second.accessToken)).resolves.toBeDefined();
    const rows = await harness.store.transaction('main', (tx) => tx.find(refreshTokens));
    expect(JSON.stringify(rows)).not.toContain(second.refreshToken);
  });

  test('used twice ends its family and is journalled; another family goes on', async () => {
    const first = await auth.issueTokens(await forKey());
    const other = await auth.issueTokens(await forKey());
    const second = await auth.refresh(first.refreshToken);
    await expect(auth.refresh(first.refreshToken)).rejects.toMatchObject(REFUSED);
    await expect(auth.refresh(second.refreshToken)).rejects.toMatchObject(REFUSED);
    await expect(auth.refresh(other.refreshToken)).resolves.toBeDefined();
    const told = (await harness.entries()).filter((e) => e.event === 'key.refresh_reused');
    expect(told).toMatchObject([{ actor: 'ana', target: keyId }]);
  });

  test('is not used up by a holder who sends too much, and one that was used is not asked about', async () => {
    const { refreshToken } = await auth.issueTokens(await forKey());
    const asked: string[] = [];
    const tooMuch = new Refusal('rate_limited', 'too much');
    const limited = auth.refresh(refreshToken, async ({ channel, subject }) => {
      asked.push(`${channel}:${subject}`);
      throw tooMuch;
    });
    await expect(limited).rejects.toBe(tooMuch);
    expect(asked).toEqual([`key:${keyId}`]);
    const admit = vi.fn<() => Promise<void>>(async () => undefined);
    await auth.refresh(refreshToken, admit);
    for (const token of [refreshToken, 'nonsense'])
      await expect(auth.refresh(token, admit)).rejects.toMatchObject(REFUSED);
    expect(admit).toHaveBeenCalledTimes(1);
  });

  test('used twice at the same moment gives one pair at most', async () => {
    const { refreshToken } = await auth.issueTokens(await forKey());
    const both = await Promise.allSettled([auth.refresh(refreshToken), auth.refresh(refreshToken)]);
    expect(both.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
  });

  test('ends with its key, after a week, and for nonsense', async () => {
    const first = await auth.issueTokens(await forKey());
    const second = await auth.issueTokens(await forKey());
    harness.clock.pass(7 * DAY);
    await expect(auth.refresh(first.refreshToken)).rejects.toMatchObject(REFUSED);
    await harness.run('ana', `key revoke ${keyId}`);
    await expect(auth.refresh(second.refreshToken)).rejects.toMatchObject(REFUSED);
    await expect(auth.refresh('nonsense')).rejects.toMatchObject(REFUSED);
  });

  test('of a revoked key is refused at once', async () => {
    const { refreshToken } = await auth.issueTokens(await forKey());
    await harness.run('ana', `key revoke ${keyId}`);
    await expect(auth.refresh(refreshToken)).rejects.toMatchObject(REFUSED);
  });
});

describe('a ticket', () => {
  test('stands for its bearer once, for 30 s', async () => {
    const { identity, expiresAt } = await bearer(key);
    const ticket = await auth.issueTicket(identity, expiresAt);
    expect(await auth.redeemTicket(ticket)).toEqual({ identity, expiresAt });
    await expect(auth.redeemTicket(ticket)).rejects.toMatchObject(REFUSED);
    const late = await auth.issueTicket(identity, undefined);
    harness.clock.pass(TICKET_LIFE);
    await expect(auth.redeemTicket(late)).rejects.toMatchObject(REFUSED);
    await expect(auth.redeemTicket('')).rejects.toMatchObject(REFUSED);
  });

  test('tells when its bearer is over, and does not outlive it', async () => {
    const { accessToken } = await auth.issueTokens(await forKey());
    const { identity, expiresAt } = await bearer(accessToken);
    harness.clock.pass(TOKEN_LIFE - TICKET_LIFE / 2);
    const first = await auth.issueTicket(identity, expiresAt);
    const second = await auth.issueTicket(identity, expiresAt);
    expect(await auth.redeemTicket(first)).toEqual({ identity, expiresAt });
    const unbound = await auth.issueTicket(identity, undefined);
    expect(await auth.redeemTicket(unbound)).toEqual({ identity, expiresAt: undefined });
    harness.clock.pass(TICKET_LIFE / 2);
    await expect(auth.redeemTicket(second)).rejects.toMatchObject(REFUSED);
  });

  test('does not outlive its key, nor its use', async () => {
    const ticket = await auth.issueTicket(await forKey(), undefined);
    await harness.run('ana', `key revoke ${keyId}`);
    await expect(auth.redeemTicket(ticket)).rejects.toMatchObject(REFUSED);
    expect(await harness.store.transaction('main', (tx) => tx.count(tickets))).toBe(0);
  });
});
