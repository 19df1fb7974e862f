import { createPublicKey, generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { beforeEach, afterEach, expect, test } from 'vitest';
import { testClock, type TestClock } from '../support/harness.ts';
import { expectUnharmed, realApp, type World } from './world.ts';

let world: World;
let clock: TestClock;
let token: string;
let before: number;

beforeEach(async () => {
  clock = testClock();
  world = await realApp({ clock });
  await world.command('task create acknowledged');
  const pair = (await (await world.post('/v1/tokens', {})).json()) as { accessToken: string };
  token = pair.accessToken;
  before = await world.head();
});

afterEach(async () => {
  // Forged traffic leaves no rows.
  expect(await world.head()).toBe(before);
  await expectUnharmed(world, ['acknowledged']);
});

const ask = (bearer: string) => world.call('/v1/tasks', { headers: { authorization: `Bearer ${bearer}` } });

async function expectRefused(bearer: string, what: string): Promise<void> {
  const answer = await ask(bearer);
  expect(answer.status, what).toBe(401);
  expect(answer.headers.get('www-authenticate'), what).toContain('Bearer');
  // The same words whatever is wrong: nobody learns which part of a guess was right.
  expect(await answer.json(), what).toMatchObject({
    code: 'unauthenticated',
    detail: 'This key or token does not hold; ask for a new one.',
  });
}

test('an access token is over after 15 minutes', async () => {
  expect((await ask(token)).status).toBe(200);
  clock.pass(15 * 60_000 - 1);
  expect((await ask(token)).status).toBe(200);
  clock.pass(1);
  await expectRefused(token, 'expired');
});

test('a token that is wrongly signed, or signed by another way, is none', async () => {
  const [head = '', body = '', signature = ''] = token.split('.');
  const header = JSON.parse(atob(head)) as { kid: string; alg: string; typ: string };
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { keys } = (await (await world.call('/.well-known/jwks.json')).json()) as { keys: JsonWebKey[] };
  const published = createPublicKey({ key: keys[0] ?? {}, format: 'jwk' });
  const pem = published.export({ type: 'spki', format: 'pem' }).toString();
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const hmac = (secret: string | Buffer) =>
    jwt.sign(claims, secret, { algorithm: 'HS256', header: { ...header, alg: 'HS256' } });
  const forged: Record<string, string> = {
    'alg none': `${encode({ ...header, alg: 'none' })}.${body}.`,
    'alg None with a signature': `${encode({ ...header, alg: 'None' })}.${body}.${signature}`,
    'HS256 with the public key as its secret': hmac(pem),
    'HS256 with the public key in DER': hmac(published.export({ type: 'spki', format: 'der' })),
    'another key under our key id': jwt.sign(claims, foreign, { algorithm: 'RS256', header }),
    'another key under its own id': jwt.sign(claims, foreign, {
      algorithm: 'RS256',
      header: { ...header, kid: 'mine' },
    }),
    'another subject': `${head}.${encode({ ...claims, sub: 'ana' })}.${signature}`,
    'more time': `${head}.${encode({ ...claims, exp: 4_000_000_000 })}.${signature}`,
    'a key of its own in the header': `${encode({ ...header, jwk: keys[0] })}.${body}.${signature}`,
    'a critical extension': `${encode({ ...header, crit: ['exp'] })}.${body}.${signature}`,
    'half a signature': `${head}.${body}.${signature.slice(0, 100)}`,
    'no signature': `${head}.${body}.`,
    nonsense: 'a.b.c',
  };
  for (const [what, bearer] of Object.entries(forged)) await expectRefused(bearer, what);
  expect((await ask(token)).status).toBe(200);
});

test('keys that are not ours, cut or changed', async () => {
  const guesses = [
    'sb_0198aaaa-bbbb-7ccc-8ddd-eeeeffff0000_ExampleExampleExampleExampleExampleExampleE',
    'an-example-token-of-the-administratoR',
    'an-example-token-of-the-administrato',
    'an-example-token-of-the-administrator-',
    'sb__',
    'sb_',
  ];
  for (const guess of guesses) await expectRefused(guess, guess);
  for (const header of ['', 'Bearer', 'Basic YW5hOng=', `Bearer ${'x'.repeat(5_000)}`])
    expect((await world.call('/v1/tasks', { headers: { authorization: header } })).status, header).toBe(401);
});
