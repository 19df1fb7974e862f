#!/usr/bin/env node
import { banner } from './banner.ts';
import { runExport } from './cli/export.ts';
import { runVerify } from './cli/verify.ts';
import { runSend } from './cli/send.ts';
import { ConfigError, loadConfig, runCheck, type Config } from './config/index.ts';
import { Refusal } from './domain/errors.ts';
import { returnMemory } from './memory.ts';

const USAGE = `Usage: signalbox <command>
  start                  start everything: channels, worker, prompt
  send "<command>"       run one command on a running server
  check                  compile environment and configuration, and report everything that is wrong
  migrate                bring the database to this version's schema
  audit verify [FILE]    verify the journal of a database file or an export, offline
  audit export [FILE]    write the whole journal as JSON lines to a new file or standard output, offline
  doctor                 check configuration, database and journal of this installation
  token [NAME]           print a new API key for a person (the administrator unless named)
  worker                 run jobs without channels (comes with the PostgreSQL store)
`;

/** 0 done, 1 refused or failed, 2 wrong usage. */
async function main([name, ...args]: readonly string[]): Promise<number> {
  const { env, stdout, stderr } = process;
  const cwd = process.cwd();
  switch (name) {
    case 'start':
      return start(await loadConfig({ env, cwd }));
    case 'send':
      return runSend({ args, env, cwd, output: stdout, errors: stderr });
    case 'check':
      return runCheck({
        env,
        cwd,
        commands: (await import('../commands/index.ts')).commands,
        output: stdout,
      });
    case 'migrate':
      return (await import('./operate.ts')).runMigrate(await loadConfig({ env, cwd }), stdout);
    case 'audit': {
      const [verb, file, ...more] = args;
      if ((verb !== 'verify' && verb !== 'export') || more.length > 0) break;
      const { readJournal } = await import('./store/sqlite/read-journal.ts');
      const database = async () => (await loadConfig({ env, cwd })).settings.database;
      return verb === 'verify'
        ? runVerify(file ?? (await database()), readJournal, stdout)
        : runExport({ database: await database(), file, readJournal, output: stdout, errors: stderr });
    }
    case 'doctor':
      return (await import('./operate.ts')).runDoctor(await loadConfig({ env, cwd }), stdout);
    case 'token':
      return (await import('./operate.ts')).runToken(await loadConfig({ env, cwd }), args[0], stdout);
    case 'worker':
      stderr.write(
        'A worker of its own needs the PostgreSQL store, which is not there yet: `signalbox start` runs jobs.\n',
      );
      return 2;
    default:
      break;
  }
  stderr.write(USAGE);
  return 2;
}

async function start(config: Config): Promise<number> {
  const { startApp } = await import('./app.ts');
  const stopped = Promise.withResolvers<number>();
  const { stdin: input, stdout: output } = process;
  const end = (code: number) => stopped.resolve(code);
  const terminal = input.isTTY && output.isTTY ? { terminal: { input, output, onExit: () => end(0) } } : {};
  const app = await startApp(config, terminal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      end(0);
      // A second signal ends at once; what was acknowledged is durable already.
      process.once(signal, () => process.exit(1));
    });
  }
  output.write(`${banner(app)}\n`);
  await app.prompt?.();
  returnMemory();
  const code = await stopped.promise;
  await app.stop();
  return code;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof ConfigError) process.stderr.write(`${error.format()}\n`);
  else if (error instanceof Refusal) process.stderr.write(`✗ ${error.message}\n`);
  else throw error;
  process.exitCode = 1;
}
