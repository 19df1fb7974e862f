import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readEnvironment } from '../../src/config/env.ts';
import { ELSEWHERE, variablesIn } from '../../src/config/variables.ts';
import { tempFolder } from '../support/temp.ts';
import { fake } from './support.ts';

const read = (env: Record<string, string>, dotenv?: string) => readEnvironment(env, dotenv, '/srv/signalbox');
const messages = (env: Record<string, string>) => read(env).problems.map(({ message }) => message);

const SLACK = { SLACK_BOT_TOKEN: fake('xoxb-'), SLACK_SIGNING_SECRET: fake('') };
const EMAIL = {
  EMAIL_ADDRESS: 'Bot@example.test',
  IMAP_HOST: 'imap.example.test',
  IMAP_USER: 'bot',
  IMAP_PASSWORD: 'fake password',
  SMTP_HOST: 'smtp.example.test',
};

describe('defaults', () => {
  test('an empty environment starts on SQLite, on loopback, with Slack and email off', () => {
    expect(read({}).settings).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      database: { kind: 'sqlite', path: '/srv/signalbox/data/signalbox.db' },
      configFile: undefined,
      adminToken: undefined,
      trustedProxies: [],
      logLevel: 'info',
      slack: { on: false, turnOnWith: expect.stringContaining('SLACK_BOT_TOKEN') },
      email: { on: false, turnOnWith: expect.stringContaining('IMAP_HOST') },
    });
  });

  test('an empty variable counts as not set', () => {
    expect(read({ PORT: '', SLACK_BOT_TOKEN: ' ' }).settings).toMatchObject({
      port: 8080,
      slack: { on: false },
    });
  });

  test('settings are frozen, and the environment passed in is left alone', () => {
    const env = Object.freeze({ PORT: '0' });
    const { settings } = read(env, 'HOST=::1');
    expect(settings).toMatchObject({ port: 0, host: '::1' });
    expect(Object.isFrozen(settings?.slack)).toBe(true);
  });
});

test('how a process runs jobs', () => {
  expect(read({}).settings).toMatchObject({
    worker: { capabilities: ['default'], concurrency: 8, prefetch: 0 },
    grace: 10_000,
    healthPort: undefined,
  });
  const set = { SIGNALBOX_CAPABILITIES: 'eu, gpu', SIGNALBOX_CONCURRENCY: '2', SIGNALBOX_PREFETCH: '4' };
  expect(read({ ...set, SIGNALBOX_GRACE: '1m', SIGNALBOX_HEALTH_PORT: '0' }).settings).toMatchObject({
    worker: { capabilities: ['eu', 'gpu'], concurrency: 2, prefetch: 4 },
    grace: 60_000,
    healthPort: 0,
  });
});

describe('.env', () => {
  test('fills what the real environment leaves out', () => {
    const { settings, env } = read({ PORT: '1', HOST: '' }, 'PORT=2\nHOST=localhost\nANY="a b"\n');
    expect(settings).toMatchObject({ port: 1, host: 'localhost' });
    expect(env['ANY']).toBe('a b');
  });

  test('a problem names the line of .env that sets the variable', () => {
    const { problems } = read({ LOG_LEVEL: 'loud' }, '# comment\nLOG_LEVEL=debug\nexport PORT=x\n');
    expect(problems).toMatchObject([
      { code: 'SBX101', file: '.env', line: 3, message: expect.stringContaining('PORT') },
      { code: 'SBX101', file: 'environment', line: undefined, message: expect.stringContaining('LOG_LEVEL') },
    ]);
  });
});

describe('values', () => {
  test.for([
    ['./data/a.db', '/srv/signalbox/data/a.db'],
    ['sqlite:a.db', '/srv/signalbox/a.db'],
    ['sqlite:/var/a.db', '/var/a.db'],
    ['sqlite:///var/a.db', '/var/a.db'],
  ])('SIGNALBOX_DB=%s', ([written, path]) => {
    expect(read({ SIGNALBOX_DB: written ?? '' }).settings?.database).toEqual({ kind: 'sqlite', path });
  });

  test('an address of PostgreSQL is taken as it is, with the one that may change its schema', () => {
    const [url, owner] = ['postgresql://app@db:5433/box?sslmode=require', 'postgres://owner@db/box'];
    const { settings } = read({ SIGNALBOX_DB: url, SIGNALBOX_DB_OWNER: owner });
    expect(settings?.database).toEqual({ kind: 'postgres', url, owner });
  });

  test('a broken address is refused without its password', () => {
    const password = 'example-password';
    for (const written of [`postgres://u:${password}@h`, `host=db dbname=box password=${password}`]) {
      const { problems, settings } = read({ SIGNALBOX_DB: written });
      expect(settings).toBeUndefined();
      expect(JSON.stringify(problems)).toContain('SIGNALBOX_DB: expected');
      expect(JSON.stringify(problems)).not.toContain(password);
    }
  });

  test.for([
    ['PORT', '65536', /0 to 65535/],
    ['PORT', '-1', /whole number/],
    ['PORT', '80.5', /whole number/],
    ['HOST', 'http://x', /host name/],
    ['SIGNALBOX_CAPABILITIES', 'default,GPU!', /lower-case letter/],
    ['SIGNALBOX_CAPABILITIES', ',', /one capability/],
    ['SIGNALBOX_CONCURRENCY', '0', /from 1 to 1000/],
    ['SIGNALBOX_PREFETCH', 'some', /whole number/],
    ['SIGNALBOX_GRACE', '5', /duration/],
    ['SIGNALBOX_HEALTH_PORT', '70000', /65535/],
    ['SIGNALBOX_DB', 'postgres://h', /port\/database/],
    ['SIGNALBOX_DB_OWNER', './data/signalbox.db', /postgres:/],
    ['SIGNALBOX_DB', 'postgres:///d?host=/run/postgresql', /one host/],
    ['SIGNALBOX_DB', 'postgres://u@%2Frun%2Fpostgresql/d', /one host/],
    ['SIGNALBOX_DB', 'postgres://a,b/d', /one host/],
    ['SIGNALBOX_DB', 'postgres://h/d?sslrootcert=/nowhere/ca.pem', /file in sslrootcert=\/nowhere\/ca\.pem/],
    ['SIGNALBOX_DB_OWNER', 'postgres://h/d?sslkey=/nowhere/key.pem', /file in sslkey=/],
    ['SIGNALBOX_DB', 'mysql://h/d', /SQLite file/],
    ['SIGNALBOX_DB', ':memory:', /SQLite file/],
    ['SIGNALBOX_ADMIN_TOKEN', 'short', /32 to 256/],
    ['SIGNALBOX_ADMIN_TOKEN', `${'a'.repeat(40)} b`, /visible ASCII/],
    ['SIGNALBOX_URL', 'signalbox.example.test', /without a path/],
    ['SIGNALBOX_URL', 'https://example.test/box', /without a path/],
    ['SIGNALBOX_URL', 'https://bob:pw1@example.test', /without a path/],
    ['TRUSTED_PROXIES', '*', /networks/],
    ['TRUSTED_PROXIES', '0.0.0.0/0', /networks/],
    ['TRUSTED_PROXIES', '10.0.0.0/99', /networks/],
    ['ALLOWED_ORIGINS', 'https://a.test, *', /origins/],
    ['LOG_LEVEL', 'loud', /expected fatal, error/],
    ['SLACK_BOT_TOKEN', fake('xapp-'), /starts with xoxb-/],
    ['SLACK_TEAM_ID', 'acme', /team id/],
    ['SIGNALBOX_NOTIFY_SECRET', 'whsec_c2hvcnQ=', /24 to 64 random bytes/],
    ['SIGNALBOX_NOTIFY_SECRET', 'an example of words', /expected whsec_/],
    ['EMAIL_ADDRESS', 'Bot <bot@example.test>', /one mail address|no spaces/],
    ['EMAIL_POLL_INTERVAL', '60', /duration/],
    ['IMAP_SECURE', 'maybe', /true or false/],
    ['IMAP_CA', '/nowhere/ca.pem', /readable PEM/],
  ] as const)('%s=%s is refused', ([name, value, says]) => {
    const { problems, settings } = read({ ...SLACK, ...EMAIL, [name]: value });
    expect(settings).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toMatch(says);
    expect(problems[0]?.message).toMatch(new RegExp(`^${name}:`));
  });

  test('lists are split and trimmed, origins brought to their own form', () => {
    const env = {
      TRUSTED_PROXIES: 'loopback, 10.0.0.0/8,fd00::/8, ::1',
      ALLOWED_ORIGINS: 'https://A.test/ ,http://b.test:80',
      SIGNALBOX_URL: 'https://box.test/',
    };
    expect(read(env).settings).toMatchObject({
      trustedProxies: ['loopback', '10.0.0.0/8', 'fd00::/8', '::1'],
      allowedOrigins: ['https://a.test', 'http://b.test'],
      url: 'https://box.test',
    });
  });

  test('a problem never quotes a secret', () => {
    const secret = fake('xoxp-');
    expect(JSON.stringify(read({ SLACK_BOT_TOKEN: secret, SIGNALBOX_ADMIN_TOKEN: 'hunter2' }))).toBeTypeOf(
      'string',
    );
    expect(messages({ SLACK_BOT_TOKEN: secret, SIGNALBOX_ADMIN_TOKEN: 'hunter2' }).join()).not.toMatch(
      /xoxp|hunter2/,
    );
  });

  test('a name that only looks like ours is noted', () => {
    expect(read({ SIGNALBOX_CONFG: 'x' }).notes).toEqual([
      'SIGNALBOX_CONFG is no variable of Signalbox. Did you mean "SIGNALBOX_CONFIG"?',
    ]);
  });
});

describe('channels', () => {
  test('Slack over HTTP and in Socket Mode', () => {
    expect(read(SLACK).settings?.slack).toMatchObject({ on: true, appToken: undefined });
    const socket = { SLACK_BOT_TOKEN: fake('xoxb-'), SLACK_APP_TOKEN: fake('xapp-') };
    expect(read(socket).settings?.slack).toMatchObject({ on: true, signingSecret: undefined });
  });

  test('email, with the ports that belong to the kind of TLS', () => {
    expect(read(EMAIL).settings?.email).toMatchObject({
      on: true,
      address: 'bot@example.test',
      pollInterval: 60_000,
      imap: { port: 993, secure: true, user: 'bot' },
      smtp: { port: 465, secure: true, user: undefined },
    });
    const clear = { ...EMAIL, IMAP_SECURE: 'false', SMTP_SECURE: 'no', SMTP_PORT: '2525' };
    expect(read(clear).settings?.email).toMatchObject({
      imap: { port: 143, secure: false },
      smtp: { port: 2525, secure: false },
    });
  });

  test('certificates are read from the working directory', () => {
    const cwd = tempFolder();
    const pem = '-----BEGIN CERTIFICATE-----\nfake\n-----END CERTIFICATE-----\n';
    writeFileSync(join(cwd, 'ca.pem'), pem);
    const { settings } = readEnvironment({ ...EMAIL, IMAP_CA: 'ca.pem' }, undefined, cwd);
    expect(settings?.email).toMatchObject({ imap: { ca: pem }, smtp: { ca: undefined } });
  });

  test.for([
    [{ SLACK_SIGNING_SECRET: fake('') }, 'SLACK_BOT_TOKEN'],
    [{ SLACK_BOT_TOKEN: fake('xoxb-') }, 'SLACK_SIGNING_SECRET or SLACK_APP_TOKEN'],
    [{ SLACK_TEAM_ID: 'T1' }, 'SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET or SLACK_APP_TOKEN'],
    [{ IMAP_HOST: 'h.test', EMAIL_ADDRESS: 'a@h.test' }, 'IMAP_USER, IMAP_PASSWORD, SMTP_HOST'],
    [{ ...EMAIL, SMTP_USER: 'bot' }, 'SMTP_PASSWORD'],
  ] as const)('half set: %j', ([env, missing]) => {
    const { problems, settings } = read(env);
    expect(settings).toBeUndefined();
    expect(problems).toMatchObject([{ code: 'SBX102', mend: expect.stringContaining(`Set ${missing} too`) }]);
  });

  test('everything that is wrong, at once', () => {
    const env = { PORT: 'x', LOG_LEVEL: 'y', SLACK_BOT_TOKEN: fake('xoxb-'), IMAP_HOST: '/', SMTP_HOST: 'h' };
    expect(messages(env)).toEqual([
      expect.stringMatching(/^PORT/),
      expect.stringMatching(/^LOG_LEVEL/),
      expect.stringMatching(/^IMAP_HOST/),
      expect.stringMatching(/^Slack is half set/),
      expect.stringMatching(/^Email is half set: IMAP_HOST, SMTP_HOST are there, EMAIL_ADDRESS/),
    ]);
  });
});

test('.env.example explains every variable, and none besides', async () => {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(new URL('../../.env.example', import.meta.url), 'utf8');
  const explained = Array.from(text.matchAll(/^([A-Z_]+)=/gm), ([, name = '']) => name);
  const known = [
    ...Object.keys(variablesIn('/').shape),
    ...ELSEWHERE.filter((name) => name !== 'SIGNALBOX_LONG'),
  ];
  expect(explained.filter((name) => !/^(GITHUB|CI)_WEBHOOK_SECRET$/.test(name ?? '')).toSorted()).toEqual(
    known.toSorted(),
  );
  expect(read({}, text).problems).toEqual([]);
});
