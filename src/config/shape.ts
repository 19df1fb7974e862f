import { z } from 'zod';
import { DAY } from '../domain/clock.ts';
import { FAILURE_CLASSES } from '../domain/failure.ts';
import { DEFAULT_CAPABILITY } from '../domain/runbook.ts';
import { readMoney, UNIT } from '../domain/usage.ts';
import { parseDuration } from './duration.ts';

/** The shape of `signalbox.yaml`, entry by entry. What one entry says about another is checked in the noun's own file. */

const text = z.string().max(10_000);
const whole = (least: number, most: number) =>
  z
    .int({ error: 'expected a whole number' })
    .min(least, `expected at least ${least}`)
    .max(most, `expected at most ${most}`);

const DURATION = 'expected a duration such as 30s, 5m, 2h or 1d';
/** Written `30s`; milliseconds from here on. */
const duration = (most = 366 * DAY) =>
  z.string({ error: DURATION }).transform((written, ctx) => {
    const parsed = parseDuration(written);
    if (parsed !== undefined && parsed > 0 && parsed <= most) return parsed;
    const message = parsed === undefined ? DURATION : `expected more than nothing and at most ${most / DAY}d`;
    ctx.addIssue({ code: 'custom', message });
    return z.NEVER;
  });

const NAME = /^[a-z][a-z0-9_-]{0,62}$/;
export const NAME_RULE = 'a lower-case letter, then up to 62 lower-case letters, digits, "-" or "_"';
const named = z.string().regex(NAME, `expected ${NAME_RULE}`);
export const isName = (name: string): boolean => NAME.test(name);

const strings = z.array(text).max(1_000);
const headers = z.record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/), text, {
  error: 'expected a map',
});
const statusCode = whole(100, 599);
const statuses = z.union([statusCode.transform((one) => [one]), z.array(statusCode).min(1)], {
  error: 'expected an HTTP status or a list of them',
});
const oneOf = <const T extends readonly string[]>(...values: T) =>
  z.enum(values, { error: `expected ${values.join(', ')}` });

export const sections = z.strictObject(
  {
    workspace: z.string().regex(NAME, `expected ${NAME_RULE}`).default('main'),
    roles: z.unknown().optional(),
    people: z.unknown().optional(),
    agents: z.unknown().optional(),
    runbooks: z.unknown().optional(),
    probes: z.unknown().optional(),
    sources: z.unknown().optional(),
    limits: z.unknown().optional(),
    jobs: z.unknown().optional(),
    budgets: z.unknown().optional(),
    sandbox: z.unknown().optional(),
    breakers: z.unknown().optional(),
    allowedHosts: z.unknown().optional(),
  },
  { error: 'expected a map of sections' },
);

export const role = strings;

export const principal = z.strictObject({
  display: text.min(1).max(100).optional(),
  roles: strings.default([]),
  identities: strings.default([]),
});

const approval = z.strictObject({
  quorum: whole(0, 20),
  roles: strings.default([]),
  persons: strings.default([]),
  timeout: duration(30 * DAY),
});

const shellExecutor = z.strictObject({
  kind: z.literal('shell'),
  argv: strings.min(1, 'expected at least the program'),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), text).default({}),
});

/** Field or unit → CEL expression. */
const expressions = (name: RegExp, most: number) =>
  z
    .record(z.string().regex(name, `expected names like ${name.source}`), text, {
      error: 'expected a map of CEL expressions',
    })
    .refine((fields) => Object.keys(fields).length <= most, `expected at most ${most} fields`);

const httpExecutor = z.strictObject({
  kind: z.literal('http'),
  method: oneOf('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
  url: text,
  headers: headers.default({}),
  body: text.max(100_000).optional(),
  expectStatus: statuses.default([200, 201, 202, 204]),
  result: expressions(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 50).optional(),
  usage: expressions(UNIT, 21).optional(),
});

const probeExecutor = z.strictObject({ kind: z.literal('probe'), probe: text });

const remoteExecutor = z.strictObject({ kind: z.literal('remote') });

const stepArgs = z.record(z.string(), z.json(), { error: 'expected a map of arguments' });

/** What goes with what is checked with the steps. */
const step = z.strictObject({
  name: named,
  runbook: text.optional(),
  args: stepArgs.optional(),
  compensate: z.strictObject({ runbook: text, args: stepArgs.optional() }).optional(),
  wait: z
    .strictObject({
      approval: approval.optional(),
      event: text.max(200).optional(),
      when: text.optional(),
      timeout: duration(30 * DAY).optional(),
      for: duration(30 * DAY).optional(),
    })
    .optional(),
});

const stepsExecutor = z.strictObject({
  kind: z.literal('steps'),
  steps: z.array(step).min(1).max(100),
});

export const runbook = z.strictObject({
  summary: text.min(1).max(200),
  risk: oneOf('read', 'write', 'destructive', 'financial'),
  permission: text,
  timeout: duration(DAY),
  tries: z.strictObject({
    max: whole(1, 20),
    backoff: duration(DAY).default(1_000),
    cap: duration(DAY).default(60_000),
    on: z
      .partialRecord(z.enum(FAILURE_CLASSES), oneOf('retry', 'fail'), {
        error: `expected retry or fail for each of ${FAILURE_CLASSES.join(', ')}`,
      })
      .default({}),
    budget: duration(30 * DAY).optional(),
  }),
  bounds: z.strictObject({
    logLines: whole(1, 100_000),
    outputBytes: whole(1, 10_000_000),
    steps: whole(1, 1_000).default(100),
    concurrency: whole(1, 1_000).optional(),
    queued: whole(1, 100_000).optional(),
  }),
  priority: whole(0, 9).default(0),
  capability: named.default(DEFAULT_CAPABILITY),
  args: z.record(z.string(), z.json(), { error: 'expected a JSON Schema' }).default({}),
  approval: approval.optional(),
  executor: z.discriminatedUnion(
    'kind',
    [shellExecutor, httpExecutor, probeExecutor, stepsExecutor, remoteExecutor],
    { error: 'expected an executor of kind shell, http, probe, steps or remote' },
  ),
});

export const probe = z.strictObject({
  summary: text.max(200).default(''),
  method: oneOf('GET', 'HEAD', 'OPTIONS', 'POST').default('GET'),
  url: text,
  headers: headers.default({}),
  timeout: duration(5 * 60_000).default(10_000),
  expect: z
    .strictObject({
      status: statuses.default([200]),
      headers: z.record(z.string(), text.nullable()).default({}),
      latency: duration().optional(),
    })
    .default({ status: [200], headers: {} }),
});

const rule = z.strictObject({
  name: z.string().regex(NAME, `expected ${NAME_RULE}`),
  when: text,
  command: text,
  args: z.record(z.string(), text).default({}),
  as: text.optional(),
});

export const source = z.strictObject({
  kind: oneOf('github', 'gitlab', 'stripe', 'standard', 'hmac'),
  /** `${env:NAME}`, or a list of them during rotation. */
  secret: z.union([text.transform((one) => [one]), strings.min(1)], {
    error: 'expected ${env:NAME} or a list of such',
  }),
  signatureHeader: text.optional(),
  deliveryHeader: text.optional(),
  rules: z.array(rule).default([]),
});

const ABOVE = 'expected a number above 0';
const MONEY = 'expected an amount above 0 in the currency, such as "12.50"';
/** Written `"12.50"`; millionths from here on. */
const amount = z.union([z.string(), z.number()], { error: MONEY }).transform((written, ctx) => {
  const millionths = readMoney(written);
  if (millionths !== undefined && millionths > 0) return millionths;
  ctx.addIssue({ code: 'custom', message: MONEY });
  return z.NEVER;
});

export const budget = z.strictObject({
  runbook: text.optional(),
  per: oneOf('day', 'month'),
  runs: whole(1, 1_000_000_000).optional(),
  cost: amount.optional(),
  units: z
    .record(z.string().regex(UNIT), z.number({ error: ABOVE }).positive(ABOVE), {
      error: 'expected a map of units (lower-case letters, digits and "_"), each with an amount above 0',
    })
    .default({}),
  approval: approval.optional(),
});

const perMinute = whole(1, 1_000_000_000);
export const limits = z.strictObject({
  perSender: perMinute.default(120),
  perChannel: perMinute.default(1_200),
  perWorkspace: perMinute.default(6_000),
  heartbeats: perMinute.default(1_200),
});

const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::([1-9]\d{0,4}))?$/;
/** Written as no URL would be understood, it would open nothing. */
const isHost = (entry: string): boolean =>
  Number(HOST.exec(entry)?.[1] ?? 1) <= 65_535 && HOST.test(entry) && URL.canParse(`http://${entry}`);

export const allowedHosts = z.array(z.string().refine(isHost, 'expected a host or host:port'), {
  error: 'expected a list of hosts',
});

export const jobRules = z.strictObject({
  concurrency: whole(1, 10_000).default(64),
  queued: whole(1, 1_000_000).default(10_000),
  depth: whole(1, 50).default(5),
  causedPerHour: whole(1, 100_000).default(600),
  notify: allowedHosts.optional(),
  keepLogs: duration(3_660 * DAY).default(30 * DAY),
});

export const sandbox = z.strictObject({ allow: allowedHosts.default([]), shell: strings.default([]) });

export const breakers = z.strictObject({
  failures: whole(1, 1_000).default(5),
  open: duration(DAY).default(30_000),
  cap: duration(DAY).default(600_000),
});
