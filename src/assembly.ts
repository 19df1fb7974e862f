import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import pino, { type Logger } from 'pino';
import { commands as commandList } from '../commands/index.ts';
import type { ChannelState } from './channels.ts';
import type { Config } from './config/index.ts';
import { createCommandSet } from './core/command-set.ts';
import { createDirectory } from './core/directory.ts';
import { newId } from './core/ids.ts';
import { createLanguage } from './core/language/index.ts';
import { createAdmission } from './core/limits.ts';
import { createOwn, type Own } from './core/owned.ts';
import type { Services } from './core/services.ts';
import type { Store } from './core/store.ts';
import type { Clock } from './domain/clock.ts';
import type { JsonObject } from './domain/json.ts';
import type { Metrics } from './metrics.ts';
import type { Database } from './store/database.ts';

// What a server and a worker process have in common.

export const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

export interface ServiceParts {
  readonly config: Config;
  readonly store: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly channels: () => readonly ChannelState[];
}

export function createServices({ config, store, clock, log, metrics, channels }: ServiceParts): Services {
  const { catalog } = config;
  const commands = createCommandSet(commandList);
  return {
    store,
    catalog,
    commands,
    language: createLanguage(commands),
    directory: createDirectory(catalog, (name) => {
      const needs = commands.find(name)?.needs;
      return needs === 'none' ? undefined : needs;
    }),
    admission: createAdmission(catalog.limits, metrics.limited, undefined, store.counts),
    clock,
    newId,
    log,
    health: () => healthOf(channels()),
    answered: metrics.answered,
  };
}

function healthOf(channels: readonly ChannelState[]): JsonObject {
  return {
    version: VERSION,
    channels: Object.fromEntries(channels.map(({ name, health }) => [name, { ...health }])),
  };
}

/** A process among those that share a database: its name in leases, and how it gets charge of something. */
export interface Member {
  readonly owner: string;
  readonly own: Own;
}

export function createMember(store: Store, workspace: string, log: Logger): Member {
  const owner = `${hostname()}/${process.pid}/${newId()}`;
  return { owner, own: createOwn({ store, workspace, owner, log }) };
}

/** Logs as JSON lines on standard error, with whatever may be a secret left out. */
export function createLog(level: string): Logger {
  const paths = [
    '*.authorization',
    '*.cookie',
    '*.password',
    '*.pass',
    '*.token',
    '*.secret',
    'err.config',
    'err.request',
  ];
  return pino({ level, redact: { paths, censor: '[redacted]' } }, pino.destination({ fd: 2, sync: false }));
}
