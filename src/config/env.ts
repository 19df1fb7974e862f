import { parseEnv } from 'node:util';
import type { z } from 'zod';
import type { Environment } from './catalog.ts';
import {
  emailSettings,
  halfSetProblem,
  slackSettings,
  type EmailSettings,
  type SlackSettings,
  type Switch,
} from './channels.ts';
import type { Location } from '../domain/location.ts';
import { readDatabase } from './database.ts';
import { deepFreeze } from './freeze.ts';
import type { Problem } from './problem.ts';
import { suggest } from './suggest.ts';
import { ELSEWHERE, variablesIn, type LOG_LEVELS, type Variables } from './variables.ts';

export interface Settings {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly database: Location;
  /** As set; undefined: `signalbox.yaml`, or the example where there is none. */
  readonly configFile: string | undefined;
  readonly adminToken: string | undefined;
  /** Public origin for links; undefined: the address that is listened on. */
  readonly url: string | undefined;
  readonly trustedProxies: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly worker: WorkerSettings;
  /** Milliseconds that what runs has to end in when the process is stopped. */
  readonly grace: number;
  /** Where a worker tells how it is; 0: any free port. Undefined: nowhere. */
  readonly healthPort: number | undefined;
  readonly slack: Switch<SlackSettings>;
  readonly email: Switch<EmailSettings>;
}

/** How a process runs jobs, where it does. */
export interface WorkerSettings {
  /** It is given the jobs that ask for one of these. */
  readonly capabilities: readonly string[];
  /** Jobs that run at the same time. */
  readonly concurrency: number;
  /** Jobs that it claims before there is room to run them. */
  readonly prefetch: number;
}

export interface EnvironmentRead {
  /** Undefined when there are problems. */
  readonly settings: Settings | undefined;
  /** The real environment over `.env`; empty variables are absent. */
  readonly env: Environment;
  readonly problems: readonly Problem[];
  readonly notes: readonly string[];
}

/** Options of the command line, by the variable that each takes the place of. */
export type Options = ReadonlyMap<string, { readonly name: string; readonly value: string }>;

/**
 * Reads the settings from `options`, from `real` for what they leave out, and from the text of a `.env` file for what
 * is in neither. Relative paths start at `cwd`. All problems are returned at once, each naming its option or variable
 * and, where `.env` sets it, its line.
 */
export function readEnvironment(
  real: Environment,
  dotenv: string | undefined,
  cwd: string,
  options: Options = new Map(),
): EnvironmentRead {
  const env = mergeEnvironment(real, dotenv);
  // One that is empty is wrong, rather than not there.
  for (const [variable, { value }] of options) env[variable] = value;
  const place = (name: string) => (real[name]?.trim() ? undefined : lineOf(dotenv, name));
  const located = (name: string) => {
    const line = place(name);
    return line === undefined ? ENVIRONMENT : { file: '.env', line, column: 1 };
  };
  const variables = variablesIn(cwd);
  const parsed = variables.safeParse(env);
  const faults = new Map(
    (parsed.error?.issues ?? []).toReversed().map((issue) => [String(issue.path[0]), issue]),
  );
  const problems = [...faults].toReversed().map(([name, issue]): Problem => {
    const option = options.get(name);
    if (option) return { ...COMMAND_LINE, message: `${option.name}: ${issue.message}.` };
    const mend = `Set ${name} accordingly, or unset it; .env.example explains it.`;
    return { code: 'SBX101', ...located(name), message: `${name}: ${issue.message}.`, mend };
  });
  // A broken variable must not hide that others are missing, so the channels are looked at all the same.
  const set = parsed.data ?? withoutBroken(env, variables.shape);
  const halfSet = (channel: string, missing: string, given: readonly string[]) =>
    void problems.push(halfSetProblem(channel, missing, given, located(given[0] ?? '')));
  const settings = compileSettings(set, cwd, halfSet);
  return {
    settings: problems.length === 0 ? deepFreeze(settings) : undefined,
    env: Object.freeze(env),
    problems,
    notes: misspelt(env, Object.keys(variables.shape)),
  };
}

/** The real environment over the text of a `.env` file; variables that are empty are left out. */
export function mergeEnvironment(real: Environment, dotenv: string | undefined): Record<string, string> {
  return { ...present(dotenv === undefined ? {} : parseEnv(dotenv)), ...present(real) };
}

const COMMAND_LINE = {
  code: 'SBX101',
  file: 'command line',
  line: undefined,
  column: undefined,
  mend: '`signalbox --help` has all options.',
} as const;
const ENVIRONMENT = { file: 'environment', line: undefined, column: undefined } as const;

const present = (env: Environment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || value.trim() === '' ? [] : [[name, value]],
    ),
  );

function lineOf(dotenv: string | undefined, name: string): number | undefined {
  const index = (dotenv ?? '')
    .split('\n')
    .findLastIndex((line) => line.replace(/^\s*(export\s+)?/, '').startsWith(`${name}=`));
  return index < 0 ? undefined : index + 1;
}

/** The settings with a stand-in for each broken variable: good for finding what is missing, not for starting. */
function withoutBroken(
  env: Readonly<Record<string, string>>,
  shape: Readonly<Record<string, z.ZodType>>,
): Variables {
  const readable = Object.entries(shape).map(([name, schema]) => {
    const one = schema.safeParse(env[name]);
    return [name, one.success ? one.data : env[name]] as const;
  });
  return Object.fromEntries(readable) as unknown as Variables;
}

function compileSettings(
  set: Variables,
  cwd: string,
  halfSet: Parameters<typeof slackSettings>[1],
): Settings {
  return {
    host: set.HOST,
    port: set.PORT,
    // What is broken was reported; this goes on to find what else is.
    database: readDatabase(set.SIGNALBOX_DB, cwd, set.SIGNALBOX_DB_OWNER) ?? { kind: 'sqlite', path: '' },
    configFile: set.SIGNALBOX_CONFIG,
    adminToken: set.SIGNALBOX_ADMIN_TOKEN,
    url: set.SIGNALBOX_URL,
    trustedProxies: set.TRUSTED_PROXIES,
    allowedOrigins: set.ALLOWED_ORIGINS,
    logLevel: set.LOG_LEVEL,
    worker: {
      capabilities: set.SIGNALBOX_CAPABILITIES,
      concurrency: set.SIGNALBOX_CONCURRENCY,
      prefetch: set.SIGNALBOX_PREFETCH,
    },
    grace: set.SIGNALBOX_GRACE,
    healthPort: set.SIGNALBOX_HEALTH_PORT,
    slack: slackSettings(set, halfSet),
    email: emailSettings(set, halfSet),
  };
}

/** Variables that look like ours and are not: a typing error there would pass silently otherwise. */
function misspelt(env: Environment, ours: readonly string[]): string[] {
  const known = [...ours, ...ELSEWHERE];
  return Object.keys(env)
    .filter((name) => name.startsWith('SIGNALBOX_') && !known.includes(name))
    .map(
      (name) => `${name} is no variable of Signalbox. ${suggest(name, known, '.env.example has them all.')}`,
    );
}
