import { commands } from '../commands/index.ts';
import { issueKey, ADMIN, ensureAdmin } from './admin.ts';
import { lackingApprovers } from './approvers.ts';
import { approverNotes, checkCatalog, type Config } from './config/index.ts';
import { verifyChains } from './domain/chains.ts';
import { Refusal } from './domain/errors.ts';
import type { Location } from './domain/location.ts';
import { principals } from './domain/principal.ts';
import { isThere, nameOf, openCurrent, openDatabase, readJournalAt } from './store/open.ts';

// Subcommands that work on the database itself, with or without a running server.

interface Output {
  write(text: string): unknown;
}

/** `signalbox migrate`: makes the database, or brings it to this version's schema. */
export async function runMigrate({ settings }: Config, output: Output): Promise<0> {
  const store = await openDatabase(settings.database);
  output.write(`${store.name} has this version's schema (${store.schema}).\n`);
  await store.close();
  return 0;
}

/** `signalbox token [NAME]`: a new key, for whoever can write the database anyway. @throws Refusal `not_found`. */
export async function runToken(
  { settings, catalog }: Config,
  name: string | undefined,
  output: Output,
): Promise<0> {
  const store = await openCurrent(settings.database);
  try {
    const { workspace } = catalog;
    const person = name ?? ADMIN;
    // Only who asks for the administrator's gets it: it is shown this one time.
    const first = person === ADMIN ? await ensureAdmin(store, workspace, undefined) : undefined;
    const token =
      first ??
      (await store.transaction(workspace, async (tx) => {
        const row = await tx.get(principals, { name: person });
        if (!row || row.disabled) throw new Refusal('not_found', `There is no person ${person}.`);
        return issueKey(tx, person, 'signalbox token');
      }));
    output.write(`${token}\n`);
    return 0;
  } finally {
    await store.close();
  }
}

/**
 * `signalbox doctor`: configuration (read by now), database, journal, channels; it changes nothing.
 * Exit code 1 when something is wrong. @throws ConfigError when a webhook rule does not fit its command.
 */
export async function runDoctor(config: Config, output: Output): Promise<0 | 1> {
  const { settings, catalog, file, notes } = config;
  const say = (ok: boolean, text: string) => output.write(`${ok ? '✓' : '✗'} ${text}\n`);
  say(true, `Node ${process.versions.node}`);
  const remarks = checkCatalog(config, commands);
  say(true, `configuration: ${file}`);
  for (const note of [...notes, ...remarks]) output.write(`  ${note}\n`);
  const sound = (await isThere(settings.database)) ? await examine(config, say, output) : undefined;
  if (sound === undefined) {
    output.write(
      `○ database: no database yet at ${await nameOf(settings.database)}; \`signalbox start\` makes it\n`,
    );
    for (const note of approverNotes(catalog, catalog.principals, 'the file names'))
      output.write(`  ${note}\n`);
  }
  for (const [name, channel] of [
    ['slack', settings.slack],
    ['email', settings.email],
  ] as const) {
    output.write(
      `${channel.on ? '✓' : '○'} ${name}: ${channel.on ? 'on' : `off; turn it on with ${channel.turnOnWith}`}\n`,
    );
  }
  return sound === false ? 1 : 0;
}

/** Whether database and journal are sound, and of this version. It is looked at as it is, and not migrated. */
async function examine(
  { settings, catalog }: Config,
  say: (ok: boolean, text: string) => unknown,
  output: Output,
): Promise<boolean> {
  const store = await openCurrent(settings.database).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error;
    say(false, `database: ${error.message}`);
    return undefined;
  });
  if (!store) return false;
  try {
    const damage = await store.integrity();
    say(
      damage === undefined,
      `database: ${store.name}, schema ${store.schema}${damage ? `: ${damage}` : ''}`,
    );
    await store.ping();
    const verdict = await journalFault(settings.database);
    say(verdict.fault === undefined, `journal: ${verdict.fault ?? `${verdict.entries} entries hold`}`);
    if (damage !== undefined) return false;
    for (const note of await lackingApprovers(store, catalog)) output.write(`  ${note}\n`);
    return verdict.fault === undefined;
  } finally {
    await store.close();
  }
}

async function journalFault(at: Location): Promise<{ entries: number; fault: string | undefined }> {
  try {
    const { chains, fault } = await verifyChains(readJournalAt(at));
    const entries = [...chains.values()].reduce((sum, { seq }) => sum + seq, 0);
    return { entries, fault: fault && `entry ${fault.seq} is broken: ${fault.reason}` };
  } catch (error) {
    return { entries: 0, fault: (error as Error).message };
  }
}
