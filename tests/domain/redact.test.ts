import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holdsLive, isSecretName, redact, REDACTED, redactText } from '../../src/domain/redact.ts';

// Joined, so that no scanner takes them for the real thing.
const fake = (...parts: string[]) => parts.join('');
const SHAPES = {
  'our own key': fake('sb_', '0192f0a1-aaaa', '_', 'x'.repeat(43)),
  slack: fake('xox', 'b-', '1234567890-abcdef'),
  'slack app': fake('xap', 'p-', '1-A0000-0000-ffff'),
  github: fake('gh', 'p_', 'a'.repeat(36)),
  'github, fine-grained': fake('github', '_pat_', 'a'.repeat(30)),
  aws: fake('AK', 'IA', 'ABCDEFGHIJKLMNOP'),
  'aws, for a while': fake('AS', 'IA', 'ABCDEFGHIJKLMNOP'),
  gitlab: fake('gl', 'pat-', 'fake'.repeat(5)),
  google: fake('AI', 'za', 'f'.repeat(35)),
  sendgrid: fake('SG', '.', 'f'.repeat(22), '.', 'f'.repeat(43)),
  npm: fake('np', 'm_', 'fake'.repeat(9)),
  openai: fake('sk', '-proj-', 'fake'.repeat(10)),
  'a signing secret': fake('wh', 'sec_', 'ZmFrZWZha2VmYWtlZmFrZQ'),
  'stripe, for tests': fake('sk', '_test_', 'fakefakefake'),
  stripe: fake('sk', '_live_', 'a1b2c3d4e5f6'),
  'a JSON web token': fake('ey', 'JhbGciOiJub25l', '.', 'ey', 'JzdWIiOiJhbmEi', '.', 'c2ln'),
  'a PEM block': fake('-----BEGIN ', 'PRIVATE KEY-----\nMIIB\n-----END ', 'PRIVATE KEY-----'),
};

test.each(Object.entries(SHAPES))('%s is hidden wherever it stands', (_, secret) => {
  for (const text of [secret, `use ${secret}`, `(${secret})`, `a=${secret}, b`])
    expect(redactText(text)).toBe(text.replace(secret, REDACTED));
  expect(redact({ list: ['x', { note: `see ${secret}` }] })).toEqual({
    list: ['x', { note: `see ${REDACTED}` }],
  });
});

test('a PEM block that is cut off is hidden to the end', () => {
  expect(redactText(`key: ${fake('-----BEGIN RSA ', 'PRIVATE KEY-----\nMIIB')} and so on`)).toBe(
    `key: ${REDACTED}`,
  );
});

test('a password in a URL is hidden, and the rest of it is not', () => {
  const url = fake('postgres:', '//app:fake-word', '@db.test/x?a=b:c@d');
  expect(redactText(url)).toBe(`postgres://app:${REDACTED}@db.test/x?a=b:c@d`);
});

test.each(Object.entries(SHAPES))('%s is live, also in base64, unless it may be a test’s', (what, secret) => {
  const perhaps = ['stripe, for tests', 'a JSON web token'].includes(what);
  expect(holdsLive(`use ${secret}`)).toBe(!perhaps);
  expect(holdsLive(`Basic ${Buffer.from(`${secret}:x`).toString('base64')}`)).toBe(!perhaps);
  expect(holdsLive('https://db.test/some/harmless/path?with=words')).toBe(false);
});

describe('by the name of the field', () => {
  test.each([
    'password',
    'PASSWORD',
    'db_password',
    'db-password',
    'dbPassword',
    'clientSecret',
    'accessToken',
    'api_key',
    'api-key',
    'apikey',
    'apiKey',
    'x.private_key',
    'Authorization',
    'cookie',
    'credential',
    'credentials',
  ])('%s', (name) => {
    expect(redact({ [name]: 'hunter2' })).toEqual({ [name]: REDACTED });
  });

  test.each(['secretary', 'passwordless', 'keyboard', 'broken', 'title', 'monkey'])('%s is none', (name) => {
    expect(isSecretName(name)).toBe(false);
  });

  test('what cannot carry one is kept: nothing, a flag, a count', () => {
    const value = { token: '', secret: null, password: true, tokens: 812 };
    expect(redact(value)).toEqual(value);
  });

  test('a number, a list and what lies below may carry one', () => {
    expect(
      redact({ password: 1234, tokens: ['a'], credentials: { user: 'ana' }, below: { token: 'x' } }),
    ).toEqual({
      password: REDACTED,
      tokens: REDACTED,
      credentials: REDACTED,
      below: { token: REDACTED },
    });
  });
});

test('property: text without secrets stays as it is, and redacting twice changes nothing more', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const once = redact(value as Parameters<typeof redact>[0]);
      expect(redact(once)).toEqual(once);
    }),
  );
  expect(redactText('eyes, sb_ and task-board_x are words; https://x.test/a_b_c')).toBe(
    'eyes, sb_ and task-board_x are words; https://x.test/a_b_c',
  );
});

test('the time is linear in the text, whatever it repeats', () => {
  const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJleGFtcGxlIn0.c2ln';
  expect(redactText(`Bearer ${jwt}, session-${jwt}`)).toBe(`Bearer ${REDACTED}, ${REDACTED}`);
  const started = performance.now();
  for (const part of [
    'eyJ-',
    'eyJ.',
    'eyJaaaaaaaaaa.',
    'sb_aaaaaaa_',
    '-----BEGIN ',
    'ghp_',
    '://a:',
    '://a:b',
    'SG.aaaaaaaaaaaaaaaa',
    'whsec_a=',
  ])
    redactText(part.repeat(100_000));
  // Hours, where each beginning is followed to the end.
  expect(performance.now() - started).toBeLessThan(5_000);
});
