import { existsSync } from 'node:fs';
import type { Clock } from '../domain/clock.ts';
import type { JournalEntry } from '../domain/journal.ts';
import type { Location } from '../domain/location.ts';
import type { Database } from './database.ts';

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

/** Whether there is a database of ours at that place, whatever its schema; makes none. @throws Refusal */
export async function isThere(at: Location): Promise<boolean> {
  if (at.kind === 'sqlite') return existsSync(at.path);
  return (await (await import('./postgres/migrate.ts')).presentSchema(at.url)) > 0;
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
