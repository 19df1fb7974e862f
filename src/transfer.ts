import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EXPECTED } from './config/index.ts';
import { systemClock } from './domain/clock.ts';
import { Refusal } from './domain/errors.ts';
import type { Location } from './domain/location.ts';
import { copyDatabase, type Copied, type CopyOptions } from './store/copy/index.ts';
import { nameOf } from './store/open.ts';

// Subcommands that carry a whole database from one place to another: backup, restore, migrate --from --to.

interface Output {
  write(text: string): unknown;
}

/** `signalbox backup FILE`: a copy of the database as it is now, beside a running server. */
export async function runBackup(database: Location, file: string, output: Output): Promise<0> {
  const to: Location = { kind: 'sqlite', path: resolve(file) };
  await copy({ from: database, to, alone: false, dryRun: false }, output);
  output.write(
    `✓ The backup is in ${await nameOf(to)}. Signing keys are in it: keep it as you keep the database.\n`,
  );
  return 0;
}

/** `signalbox restore FILE`: fills the configured database, which has to be empty, from a backup. */
export async function runRestore(database: Location, file: string, output: Output): Promise<0> {
  const from: Location = { kind: 'sqlite', path: resolve(file) };
  const { open } = await copy({ from, to: database, alone: false, dryRun: false }, output);
  output.write(`✓ ${await nameOf(database)} is restored from ${await nameOf(from)}.\n`);
  if (open.jobs + open.messages > 0)
    output.write(
      `  A server that is started now goes on with ${count(open.jobs, 'open job')} and ` +
        `${count(open.messages, 'message')} to send. What was done of them after the backup is done again;\n` +
        '  with `signalbox start --hold` it does nothing by itself, and you can cancel jobs first.\n',
    );
  return 0;
}

/**
 * `signalbox migrate --from DATABASE --to DATABASE [--dry-run]`: moves to another database, with every server stopped.
 * `locate` reads what SIGNALBOX_DB may be. Exit code 2: wrong usage.
 */
export async function runMove(
  args: readonly string[],
  locate: (text: string) => Location | undefined,
  output: Output,
): Promise<0 | 2> {
  const asked = readMove(args);
  if (!asked) {
    output.write('Usage: signalbox migrate [--from sqlite:PATH --to postgres://… [--dry-run]]\n');
    return 2;
  }
  const { dryRun } = asked;
  const read = (flag: 'from' | 'to'): Location => {
    const location = locate(asked[flag]);
    // What was given may have a password in it.
    if (!location) throw new Refusal('invalid_argument', `--${flag}: ${EXPECTED}.`);
    return location;
  };
  const [from, to] = [read('from'), read('to')];
  await copy({ from, to, alone: true, dryRun }, output);
  output.write(
    dryRun
      ? `✓ It can be copied; nothing of it was kept in ${await nameOf(to)}.\n`
      : `✓ Everything is in ${await nameOf(to)}: set SIGNALBOX_DB to it, and keep the old database until you are content.\n`,
  );
  return 0;
}

function readMove(args: readonly string[]): { from: string; to: string; dryRun: boolean } | undefined {
  const options = {
    from: { type: 'string' },
    to: { type: 'string' },
    'dry-run': { type: 'boolean', default: false },
  } as const;
  try {
    const { from, to, 'dry-run': dryRun } = parseArgs({ args: [...args], options }).values;
    return from === undefined || to === undefined ? undefined : { from, to, dryRun };
  } catch {
    return undefined;
  }
}

async function copy(options: Omit<CopyOptions, 'now'>, output: Output): Promise<Copied> {
  const started = performance.now();
  const copied = await copyDatabase({ ...options, now: systemClock.now() });
  const rows = [...copied.rows].map(([table, n]) => `${table} ${n}`);
  const all = [...copied.rows.values()].reduce((sum, n) => sum + n, 0);
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  for (const [workspace, { seq, hash }] of copied.heads)
    output.write(
      `✓ ${workspace}: ${count(seq, 'entry', 'entries')} hold on both sides, the last is ${hash}\n`,
    );
  output.write(`✓ ${count(all, 'row')} in ${seconds} s${rows.length > 0 ? `: ${rows.join(', ')}` : ''}\n`);
  return copied;
}

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;
