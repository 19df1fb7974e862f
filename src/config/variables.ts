import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { DAY, MINUTE, SECOND } from '../domain/clock.ts';
import { DEFAULT_CAPABILITY } from '../domain/runbook.ts';
import { EXPECTED, isPostgres, missingFile, readDatabase } from './database.ts';
import { parseDuration } from './duration.ts';
import { isName, NAME_RULE } from './shape.ts';

/** How each environment variable is read: text in, setting out. Empty variables never get here, they count as unset. */

const line = z.string().regex(/^\P{Cc}+$/u, 'expected one line of text');
const word = line.regex(/^\S+$/, 'expected no spaces');

const number = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `expected a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `expected a whole number from ${least} to ${most}`);
const port = number(1, 65_535);

const flag = z
  .enum(['true', 'false', '1', '0', 'yes', 'no'], { error: 'expected true or false' })
  .transform((value) => ['true', '1', 'yes'].includes(value));

const host = z
  .string()
  .refine(
    (value) => isIP(value) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(value),
    'expected a host name or address',
  );

const list = (accepts: (item: string) => boolean, expected: string) =>
  z
    .string()
    .transform((value) =>
      value
        .split(',')
        .map((item) => item.trim())
        .filter(Boolean),
    )
    .refine((items) => items.every(accepts), `expected ${expected}, separated by commas`);

/** A URL's origin, without a path: what the browser sends as Origin, and what links start with. */
const origin = z
  .string()
  .refine(isOrigin, 'expected an address such as https://signalbox.example.test, without a path')
  .transform((value) => new URL(value).origin);

function isOrigin(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return (
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  );
}

/** An address, a network, or one of express's names for them; "everybody" would let a sender forge its address. */
function isProxy(item: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(item) || isIP(item) !== 0) return true;
  const [network = '', bits = ''] = item.split('/', 2);
  const version = isIP(network);
  if (version === 0 || !/^\d{1,3}$/.test(bits) || bits === '0') return false;
  try {
    new BlockList().addSubnet(network, Number(bits), version === 6 ? 'ipv6' : 'ipv4');
    return true;
  } catch {
    return false;
  }
}

const slackToken = (prefix: string, where: string) =>
  word.startsWith(prefix, `expected a token that starts with ${prefix} (${where})`);

/** As Standard Webhooks has them: 24 to 64 random bytes. Several, between spaces, while one takes the place of another. */
const signingSecrets = line.refine(
  (value) =>
    value.split(/\s+/).every((secret) => {
      const bytes = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1];
      const size = bytes === undefined ? 0 : Buffer.from(bytes, 'base64').length;
      return size >= 24 && size <= 64;
    }),
  'expected whsec_ and 24 to 64 random bytes in base64: `openssl rand -base64 32` makes some',
);

/** A file of PEM certificates, read at once so that a wrong path shows at the start. */
const certificates = (cwd: string) =>
  line.transform((path, ctx) => {
    try {
      const pem = readFileSync(resolve(cwd, path), 'utf8');
      if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
    } catch {
      // Reported below, together with a file that holds something else.
    }
    ctx.addIssue({ code: 'custom', message: 'expected the path of a readable PEM file with certificates' });
    return z.NEVER;
  });

const database = (cwd: string) => located(cwd, (value) => readDatabase(value, cwd) !== undefined, EXPECTED);

/** Where a database is, with the files that it names looked at, so that a wrong path shows at the start. */
const located = (cwd: string, accepts: (value: string) => boolean, expected: string) =>
  line.superRefine((value, ctx) => {
    const missing = accepts(value) ? missingFile(value, cwd) : undefined;
    if (!accepts(value)) ctx.addIssue({ code: 'custom', message: expected });
    else if (missing !== undefined)
      ctx.addIssue({ code: 'custom', message: `expected a readable file in ${missing}` });
  });

const interval = z.string().transform((value, ctx) => {
  const parsed = parseDuration(value);
  if (parsed !== undefined && parsed >= SECOND && parsed <= DAY) return parsed;
  ctx.addIssue({ code: 'custom', message: 'expected a duration from 1s to 1d, such as 60s' });
  return z.NEVER;
});

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** The schema of all variables; relative paths start at `cwd`. */
export const variablesIn = (cwd: string) =>
  z.object({
    HOST: host.default('127.0.0.1'),
    PORT: number(0, 65_535).default(8080),
    SIGNALBOX_DB: database(cwd).default('./data/signalbox.db'),
    SIGNALBOX_DB_OWNER: located(
      cwd,
      isPostgres,
      'expected postgres://user:password@host:port/database with one host',
    ).optional(),
    SIGNALBOX_CONFIG: line.optional(),
    SIGNALBOX_CAPABILITIES: list(isName, `capabilities, each ${NAME_RULE}`)
      .refine((items) => items.length > 0, 'expected one capability at least')
      .default([DEFAULT_CAPABILITY]),
    SIGNALBOX_CONCURRENCY: number(1, 1_000).default(8),
    SIGNALBOX_PREFETCH: number(0, 1_000).default(0),
    SIGNALBOX_GRACE: interval.default(10 * SECOND),
    SIGNALBOX_HEALTH_PORT: number(0, 65_535).optional(),
    SIGNALBOX_ADMIN_TOKEN: z
      .string()
      .regex(/^[\x21-\x7e]{32,256}$/, 'expected 32 to 256 visible ASCII characters')
      .optional(),
    SIGNALBOX_NOTIFY_SECRET: signingSecrets.optional(),
    SIGNALBOX_URL: origin.optional(),
    TRUSTED_PROXIES: list(
      isProxy,
      'addresses, networks (10.0.0.0/8), loopback, linklocal or uniquelocal',
    ).default([]),
    ALLOWED_ORIGINS: list(isOrigin, 'origins such as https://app.example.test')
      .transform((items) => items.map((item) => new URL(item).origin))
      .default([]),
    LOG_LEVEL: z.enum(LOG_LEVELS, { error: `expected ${LOG_LEVELS.join(', ')}` }).default('info'),
    SLACK_BOT_TOKEN: slackToken('xoxb-', 'OAuth & Permissions').optional(),
    SLACK_APP_TOKEN: slackToken('xapp-', 'Basic Information, App-Level Tokens').optional(),
    SLACK_SIGNING_SECRET: word.min(16, 'expected the signing secret of Basic Information').optional(),
    SLACK_TEAM_ID: word.regex(/^T[A-Z0-9]+$/, 'expected a team id such as T0123ABCD').optional(),
    SLACK_API_URL: z.url({ protocol: /^https?$/, error: 'expected a URL' }).optional(),
    EMAIL_ADDRESS: word
      .regex(/^[^@<>"]+@[^@<>"]+$/, 'expected one mail address')
      .transform((address) => address.toLowerCase())
      .optional(),
    EMAIL_POLL_INTERVAL: interval.default(MINUTE),
    IMAP_HOST: host.optional(),
    IMAP_PORT: port.optional(),
    IMAP_SECURE: flag.default(true),
    IMAP_USER: line.optional(),
    IMAP_PASSWORD: line.optional(),
    IMAP_CA: certificates(cwd).optional(),
    SMTP_HOST: host.optional(),
    SMTP_PORT: port.optional(),
    SMTP_SECURE: flag.default(true),
    SMTP_USER: line.optional(),
    SMTP_PASSWORD: line.optional(),
    SMTP_CA: certificates(cwd).optional(),
  });

export type Variables = z.output<ReturnType<typeof variablesIn>>;

/** Read by `signalbox send` and by the tests; known here so that they are not taken for typing errors. */
export const ELSEWHERE = ['SIGNALBOX_TOKEN', 'SIGNALBOX_LONG'];
