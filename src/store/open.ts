import { existsSync } from 'node:fs';
import type { Clock } from '../domain/clock.ts';
import type { JournalEntry } from '../domain/journal.ts';
import { Refusal } from '../domain/errors.ts';
import type { Location } from '../domain/location.ts';
import type { Database } from './database.ts';
import { refuseNewer, shipped } from './migrations.ts';

export interface OpenOptions {
  /** The system's, or that of the PostgreSQL server, unless told. */
  readonly clock?: Clock;
  /** Told of what goes wrong outside any call. */
  readonly report?: (error: unknown) => void;
}

/** Opens a database, brought to this version's schema. @throws Refusal saying what is wrong with it. */
export async function openDatabase(at: Location, options: OpenOptions = {}): Promise<Database> {
  // Each loads its own driver, and only that one.
  if (at.kind === 'sqlite')
    return (await import('./sqlite/store.ts')).openSqlite({ path: at.path, ...options });
  return (await import('./postgres/store.ts')).openPostgres({ url: at.url, owner: at.owner, ...options });
}

/**
 * Opens a database as it is. @throws Refusal as `openDatabase` does; `unavailable`, with what to do, where its schema is
 * not this version's: who only works with it does not change it.
 */
export async function openCurrent(at: Location, options: OpenOptions = {}): Promise<Database> {
  const present = await presentSchema(at);
  const needed = shipped(at.kind).at(-1)?.number ?? 0;
  refuseNewer(present, needed);
  if (present === needed) return openDatabase(at, options);
  const name = await nameOf(at);
  const found =
    present === 0 ? `There is no database yet at ${name}` : `The database ${name} has schema ${present}`;
  throw new Refusal(
    'unavailable',
    `${found}, and this version needs schema ${needed}: start a server, or run \`signalbox migrate\`.`,
  );
}

/** The number of the newest migration that was applied; 0 where there is no database of ours. Changes nothing. */
async function presentSchema(at: Location): Promise<number> {
  if (at.kind === 'postgres') return (await import('./postgres/migrate.ts')).presentSchema(at.url);
  return existsSync(at.path) ? (await import('./sqlite/migrate.ts')).presentSchema(at.path) : 0;
}

/** Whether there is a database of ours at that place, whatever its schema; makes none. @throws Refusal */
export async function isThere(at: Location): Promise<boolean> {
  return at.kind === 'sqlite' ? existsSync(at.path) : (await presentSchema(at)) > 0;
}

/** The journal of a database, workspace by workspace, read without a server. @throws Error naming what cannot be read. */
export async function* readJournalAt(at: Location): AsyncIterable<JournalEntry> {
  if (at.kind === 'sqlite') yield* (await import('./sqlite/read-journal.ts')).readJournal(at.path);
  else yield* (await import('./postgres/read-journal.ts')).readJournal(at.url);
}

/** A database as it may be shown: without user and password. */
export async function nameOf(at: Location): Promise<string> {
  return at.kind === 'sqlite' ? at.path : (await import('./postgres/address.ts')).nameOf(at.url);
}
