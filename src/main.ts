#!/usr/bin/env node
import { parseArgs } from 'node:util';
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
} from './config/index.ts';
import { SECOND } from './domain/clock.ts';
import { Refusal } from './domain/errors.ts';
import { returnMemory } from './memory.ts';

const USAGE = `Usage: signalbox <command>
  start [--no-worker]    start everything: channels, worker, prompt; without the worker others run the jobs
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
`;

/** 0 done, 1 refused or failed, 2 wrong usage. */
async function main([name, ...args]: string[]): Promise<number> {
  const { env, stdout, stderr } = process;
  const cwd = process.cwd();
  switch (name) {
    case 'start': {
      if (args.some((arg) => arg !== '--no-worker')) break;
      return start(await loadConfig({ env, cwd }), args.length === 0);
    }
    case 'worker': {
      const set = workerVariables(args, stderr);
      if (!set) break;
      return work(await loadConfig({ env: { ...env, ...set }, cwd }));
    }
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
    case 'token':
      return (await import('./operate.ts')).runToken(await loadConfig({ env, cwd }), args[0], stdout);
    default:
      break;
  }
  stderr.write(USAGE);
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

/** The options of `worker` as the variables that they stand for; undefined when they cannot be read. */
function workerVariables(args: string[], errors: NodeJS.WriteStream): Record<string, string> | undefined {
  const type = 'string' as const;
  try {
    const { values } = parseArgs({
      args,
      options: {
        capabilities: { type },
        concurrency: { type },
        prefetch: { type },
        grace: { type },
        health: { type },
      },
    });
    const { health, ...same } = values;
    const named = { ...same, ...(health !== undefined && { health_port: health }) };
    return Object.fromEntries(
      Object.entries(named).map(([name, value]) => [`SIGNALBOX_${name.toUpperCase()}`, value]),
    );
  } catch (error) {
    errors.write(`✗ ${(error as Error).message}\n`);
    return undefined;
  }
}

async function work(config: Config): Promise<number> {
  const { startWork } = await import('./work.ts');
  const running = await startWork(config);
  const signalled = whenSignalled();
  process.stdout.write(`${running.line}\n`);
  returnMemory();
  await signalled;
  await running.stop();
  return endBy(0);
}

/** Ends the process also where a connection to a database that does not answer would keep it. */
function endBy(code: number): number {
  setTimeout(() => process.exit(code), SECOND).unref();
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

async function start(config: Config, runsJobs: boolean): Promise<number> {
  const { startApp } = await import('./app.ts');
  const stopped = Promise.withResolvers<number>();
  const { stdin: input, stdout: output } = process;
  const end = (code: number) => stopped.resolve(code);
  const terminal = input.isTTY && output.isTTY ? { terminal: { input, output, onExit: () => end(0) } } : {};
  const app = await startApp(config, { ...terminal, runsJobs });
  void whenSignalled().then(() => end(0));
  output.write(`${banner(app)}\n`);
  await app.prompt?.();
  returnMemory();
  const code = await stopped.promise;
  await app.stop();
  return endBy(code);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.format()}\n`);
  else if (error instanceof Refusal) process.stderr.write(`✗ ${error.message}\n`);
  else throw error;
  process.exitCode = 1;
}
