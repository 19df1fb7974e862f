import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { publicKeyOf, signToken, TOKEN_LIFE, verifyToken } from '../../src/core/tokens.ts';

const NOW = new Date('2026-03-02T09:00:00.000Z');
const BINDING = { issuer: 'https://box.example.test', audience: 'signalbox:main' };
const CLAIMS = { subject: 'ana', keyId: 'key-1', scopes: ['task:*', 'job:read'], tokenId: 'jti-1' };
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const seconds = NOW.getTime() / 1_000;

const HEADER = { alg: 'RS256', typ: 'at+jwt', kid: 'k1' };
const PAYLOAD = {
  iss: BINDING.issuer,
  aud: BINDING.audience,
  sub: 'ana',
  client_id: 'key-1',
  scope: 'task:*',
  jti: 'jti-1',
  iat: seconds,
  exp: seconds + 900,
};

const keyOf = async (kid: string): Promise<KeyObject | undefined> => (kid === 'k1' ? publicKey : undefined);
const verify = (token: string, at = NOW) => verifyToken(token, keyOf, BINDING, at);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs anything at all with RS256, as an attacker with the key of another service, or a careless one, might. */
function forge(header: unknown, payload: unknown, key: KeyObject = privateKey): string {
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key).toString('base64url')}`;
}

describe('signToken and verifyToken', () => {
  test('carry who, which key, what and how long', async () => {
    const token = signToken(CLAIMS, { kid: 'k1', privateKey }, BINDING, NOW);
    expect(await verify(token)).toEqual({ ...CLAIMS, expiresAt: new Date(NOW.getTime() + TOKEN_LIFE) });
    expect(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())).toEqual(HEADER);
  });

  test('a token made by hand as ours are is accepted, so that what follows is refused for its own fault', async () => {
    expect(await verify(forge(HEADER, PAYLOAD))).toMatchObject({ subject: 'ana' });
  });

  test('end after 15 minutes, to the second', async () => {
    const token = signToken(CLAIMS, { kid: 'k1', privateKey }, BINDING, NOW);
    await expect(verify(token, new Date(NOW.getTime() + TOKEN_LIFE - 1_000))).resolves.toBeDefined();
    await expect(verify(token, new Date(NOW.getTime() + TOKEN_LIFE))).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

const other = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey;
const without = (name: keyof typeof PAYLOAD) =>
  Object.fromEntries(Object.entries(PAYLOAD).filter(([n]) => n !== name));
const good = forge(HEADER, PAYLOAD);
const [head = '', load = '', signature = ''] = good.split('.');

/** HS256 with the public key as its secret: what a verifier that trusts `alg` accepts. */
function confused(): string {
  const signed = `${part({ ...HEADER, alg: 'HS256' })}.${load}`;
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
}

test.each<[string, string]>([
  ['alg none without a signature', `${part({ ...HEADER, alg: 'none' })}.${load}.`],
  ['alg none with the old signature', `${part({ ...HEADER, alg: 'none' })}.${load}.${signature}`],
  ['alg None', forge({ ...HEADER, alg: 'None' }, PAYLOAD)],
  ['HS256 keyed with the public key', confused()],
  ['RS512', forge({ ...HEADER, alg: 'RS512' }, PAYLOAD)],
  ['an unknown kid', forge({ ...HEADER, kid: 'k2' }, PAYLOAD)],
  ['no kid', forge({ alg: 'RS256', typ: 'at+jwt' }, PAYLOAD)],
  ['a kid that is no text', forge({ ...HEADER, kid: ['k1'] }, PAYLOAD)],
  ['typ JWT', forge({ ...HEADER, typ: 'JWT' }, PAYLOAD)],
  ['no typ', forge({ alg: 'RS256', kid: 'k1' }, PAYLOAD)],
  ['an unknown crit', forge({ ...HEADER, crit: ['exp2'], exp2: 1 }, PAYLOAD)],
  ['crit b64', forge({ ...HEADER, crit: ['b64'], b64: true }, PAYLOAD)],
  ['a key in its own header', forge({ ...HEADER, jwk: publicKey.export({ format: 'jwk' }) }, PAYLOAD)],
  ['a key address in its header', forge({ ...HEADER, jku: 'https://evil.example.test/jwks' }, PAYLOAD)],
  ['somebody else’s key', forge(HEADER, PAYLOAD, other)],
  ['another issuer', forge(HEADER, { ...PAYLOAD, iss: 'https://evil.example.test' })],
  ['another audience', forge(HEADER, { ...PAYLOAD, aud: 'signalbox:other' })],
  ['several audiences', forge(HEADER, { ...PAYLOAD, aud: ['signalbox:other', BINDING.audience] })],
  ['no end', forge(HEADER, without('exp'))],
  ['an end that is no number', forge(HEADER, { ...PAYLOAD, exp: '9999999999' })],
  ['a life of a year', forge(HEADER, { ...PAYLOAD, exp: seconds + 31_536_000 })],
  ['a start in an hour', forge(HEADER, { ...PAYLOAD, iat: seconds + 3_600, exp: seconds + 4_500 })],
  ['nbf in an hour', forge(HEADER, { ...PAYLOAD, nbf: seconds + 3_600 })],
  ['expired', forge(HEADER, { ...PAYLOAD, iat: seconds - 1_800, exp: seconds - 900 })],
  ['no subject', forge(HEADER, without('sub'))],
  ['no client', forge(HEADER, without('client_id'))],
  ['no scope', forge(HEADER, without('scope'))],
  ['scopes as a list', forge(HEADER, { ...PAYLOAD, scope: ['*'] })],
  ['a payload that is no object', forge(HEADER, 'ana')],
  ['another payload', `${head}.${part({ ...PAYLOAD, sub: 'root' })}.${signature}`],
  ['truncated', good.slice(0, -20)],
  ['two parts', `${head}.${load}`],
  ['four parts', `${good}.x`],
  ['blanks in it', ` ${good}`],
  ['a header that is no JSON', `AAAA.${load}.${signature}`],
  ['a header of null', `${part(null)}.${load}.${signature}`],
  ['nothing', ''],
  ['far too long', `${head}.${'A'.repeat(10_000)}.${signature}`],
])('refuses: %s', async (_, token) => {
  await expect(verify(token)).rejects.toMatchObject({
    code: 'unauthenticated',
    message: 'This key or token does not hold; ask for a new one.',
  });
});

test('keys under 2048 bits neither sign, nor verify, nor are read', async () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  expect(() => signToken(CLAIMS, { kid: 'k1', privateKey: weak.privateKey }, BINDING, NOW)).toThrow(
    RangeError,
  );
  const token = forge(HEADER, PAYLOAD, weak.privateKey);
  await expect(verifyToken(token, async () => weak.publicKey, BINDING, NOW)).rejects.toMatchObject({
    code: 'unauthenticated',
  });
  expect(() => publicKeyOf(weak.publicKey.export({ format: 'jwk' }))).toThrow(RangeError);
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(() => publicKeyOf(curve.publicKey.export({ format: 'jwk' }))).toThrow(RangeError);
});

test('what the key store throws is passed on as it is', async () => {
  const away = new Error('the database is away');
  await expect(verifyToken(good, () => Promise.reject(away), BINDING, NOW)).rejects.toBe(away);
});

test('a published key reads back as the same key', () => {
  const again = publicKeyOf(publicKey.export({ format: 'jwk' }));
  expect(
    again.equals(createPublicKey(createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })))),
  ).toBe(true);
});
