#!/usr/bin/env node
import { parseArgs } from 'node:util';
import type { Overrides } from './app.ts';
import { banner } from './banner.ts';
import { runExport } from './cli/export.ts';
import { runVerify } from './cli/verify.ts';
import { runSend } from './cli/send.ts';
import {
  ConfigError,
  loadConfig,
  loadSettings,
  readDatabase,
  readMergedEnvironment,
  runCheck,
  type Config,
  type Options,
} from './config/index.ts';
import { SECOND } from './domain/clock.ts';
import { Refusal } from './domain/errors.ts';
import { returnMemory } from './memory.ts';

const USAGE = `Usage: signalbox <command>
  start [--no-worker] [--hold]
                         start everything: channels, worker, prompt; without the worker others run the jobs; with
                         --hold it answers commands and does nothing by itself: no jobs, schedules, messages
  worker [--capabilities a,b] [--concurrency N] [--prefetch N] [--grace 10s] [--health PORT]
                         run jobs and nothing else, for the servers of the same database
  send "<command>"       run one command on a running server
  check                  compile environment and configuration, and report everything that is wrong
  migrate                bring the database to this version's schema
  migrate --from DATABASE --to DATABASE [--dry-run]
                         move everything to another database, with every server stopped
  backup FILE            copy the database into a new file, also while servers run
  restore FILE           fill an empty database from a backup
  audit verify [FILE]    verify the journal of a database file or an export, offline
  audit export [FILE]    write the whole journal as JSON lines to a new file or standard output, offline
  doctor                 check configuration, database and journal of this installation
  token [NAME]           print a new API key for a person (the administrator unless named)
  --help, --version
`;

type How = Pick<Overrides, 'runsJobs' | 'holds'>;

/** What is asked of the program itself, whatever the subcommand. */
async function about(...words: readonly (string | undefined)[]): Promise<string | undefined> {
  if (words.some((word) => word === '--help' || word === '-h')) return USAGE;
  return words[0] === '--version' ? `${(await import('./assembly.ts')).VERSION}\n` : undefined;
}

/** How it is used, said of a name that is none of its commands. */
const usageAfter = (name: string | undefined): string =>
  name === undefined || USAGE.includes(`\n  ${name} `) ? USAGE : `✗ There is no command ${name}.\n${USAGE}`;

/** 0 done, 1 refused or failed, 2 wrong usage. */
async function main([name, ...args]: string[]): Promise<number> {
  const { env, stdout, stderr } = process;
  const cwd = process.cwd();
  const told = await about(name, args[0]);
  if (told !== undefined) {
    stdout.write(told);
    return 0;
  }
  switch (name) {
    case 'start': {
      const how = startOptions(args);
      return start(await loadConfig({ env, cwd }), how);
    }
    case 'worker':
      return work(await loadConfig({ env, cwd, options: workerOptions(args) }));
    case 'send':
      return runSend({ args, env, cwd, output: stdout, errors: stderr });
    case 'check':
      return runCheck({
        env,
        cwd,
        commands: (await import('../commands/index.ts')).commands,
        output: stdout,
      });
    case 'backup':
    case 'restore': {
      const [file, ...more] = args;
      if (file === undefined || file === '' || file.startsWith('-') || more.length > 0) break;
      const { runBackup, runRestore } = await import('./transfer.ts');
      const { database } = await loadSettings({ env, cwd });
      return (name === 'backup' ? runBackup : runRestore)(database, file, stdout);
    }
    case 'migrate':
      if (args.length > 0) {
        const { SIGNALBOX_DB_OWNER: owner } = await readMergedEnvironment(env, cwd);
        return (await import('./transfer.ts')).runMove(
          args,
          (text) => readDatabase(text, cwd, owner),
          stdout,
        );
      }
      return (await import('./operate.ts')).runMigrate(await loadConfig({ env, cwd }), stdout);
    case 'audit': {
      const done = await audit(args, { env, cwd });
      if (done === undefined) break;
      return done;
    }
    case 'doctor':
      return (await import('./operate.ts')).runDoctor(await loadConfig({ env, cwd }), stdout);
    case 'token': {
      const { positionals } = parseArgs({ args, allowPositionals: true });
      if (positionals.length > 1) break;
      return (await import('./operate.ts')).runToken(await loadConfig({ env, cwd }), positionals[0], stdout);
    }
    default:
      break;
  }
  stderr.write(usageAfter(name));
  return 2;
}

/** `audit verify [FILE]` and `audit export [FILE]`; undefined when it is neither. */
async function audit(
  [verb, file, ...more]: readonly string[],
  place: Parameters<typeof loadConfig>[0],
): Promise<number | undefined> {
  if ((verb !== 'verify' && verb !== 'export') || more.length > 0) return undefined;
  const { nameOf, readJournalAt } = await import('./store/open.ts');
  // A file that is named needs no configuration.
  const { database } =
    verb === 'verify' && file !== undefined
      ? { database: { kind: 'sqlite', path: file } as const }
      : (await loadConfig(place)).settings;
  const [path, at] = [await nameOf(database), database.kind === 'sqlite' ? 'file' : 'server'] as const;
  const readJournal = () => readJournalAt(database);
  const { stdout: output, stderr: errors } = process;
  return verb === 'verify'
    ? runVerify(path, readJournal, output, at)
    : runExport({ database: path, at, file, readJournal, output, errors });
}

/** @throws what `parseArgs` does */
function startOptions(args: string[]): How {
  const options = { 'no-worker': { type: 'boolean' }, hold: { type: 'boolean' } } as const;
  const { 'no-worker': noWorker = false, hold: holds = false } = parseArgs({ args, options }).values;
  return { holds, runsJobs: !noWorker && !holds };
}

/** By the variables that they stand for. @throws what `parseArgs` does */
function workerOptions(args: string[]): Options {
  const type = 'string' as const;
  const options = {
    capabilities: { type },
    concurrency: { type },
    prefetch: { type },
    grace: { type },
    health: { type },
  };
  const variable = (name: string) => `SIGNALBOX_${name === 'health' ? 'HEALTH_PORT' : name.toUpperCase()}`;
  const given = Object.entries(parseArgs({ args, options }).values);
  return new Map(given.map(([name, value]) => [variable(name), { name: `--${name}`, value }]));
}

async function work(config: Config): Promise<number> {
  const { startWorker } = await import('./worker-process.ts');
  const running = await startWorker(config);
  const signalled = whenSignalled();
  process.stdout.write(`${running.line}\n`);
  returnMemory();
  await signalled;
  return leave(config, () => running.stop(), 0);
}

/** Milliseconds after the grace in which all has to be closed. */
const CLOSED_WITHIN = 5 * SECOND;

/** Stops what runs, and ends the process also where something that never answers would keep it. */
async function leave({ settings }: Config, stop: () => Promise<void>, code: number): Promise<number> {
  const endIn = (delay: number, as: number) => setTimeout(() => process.exit(as), delay).unref();
  const late = endIn(settings.grace + CLOSED_WITHIN, 1);
  await stop();
  clearTimeout(late);
  endIn(SECOND, code);
  return code;
}

/** Resolves at the first signal to stop; a second one ends at once: what was acknowledged is durable already. */
function whenSignalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve();
        process.once(signal, () => process.exit(1));
      });
    }
  });
}

async function start(config: Config, how: How): Promise<number> {
  const { startApp } = await import('./app.ts');
  const stopped = Promise.withResolvers<number>();
  const { stdin: input, stdout: output } = process;
  const end = (code: number) => stopped.resolve(code);
  const terminal = input.isTTY && output.isTTY ? { terminal: { input, output, onExit: () => end(0) } } : {};
  const app = await startApp(config, { ...terminal, ...how });
  void whenSignalled().then(() => end(0));
  output.write(`${banner(app, config.catalog.runbooks.has('deploy'))}\n`);
  await app.prompt?.();
  returnMemory();
  const code = await stopped.promise;
  return leave(config, () => app.stop(), code);
}

/** What `parseArgs` says of options that there are not. */
const isUsage = (error: unknown): error is Error =>
  error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = isUsage(error) ? 2 : 1;
  if (isUsage(error)) process.stderr.write(`✗ ${error.message}\n${USAGE}`);
  else if (error instanceof ConfigError) process.stderr.write(`${error.format()}\n`);
  else if (error instanceof Refusal) process.stderr.write(`✗ ${error.message}\n`);
  else throw error;
}
