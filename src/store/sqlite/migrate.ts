import BetterSqlite, { type Database } from 'better-sqlite3';
import { refuseNewer, shipped } from '../migrations.ts';
import { seedStatistics } from './statistics.ts';
import { storageRefusal } from './storage-errors.ts';

/** The number of the newest migration that was applied to a file. @throws Refusal when it cannot be read. */
export function presentSchema(path: string): number {
  let db: Database | undefined;
  try {
    db = new BetterSqlite(path, { readonly: true, timeout: 5_000 });
    return db.pragma('user_version', { simple: true }) as number;
  } catch (error) {
    throw storageRefusal(error, path);
  } finally {
    db?.close();
  }
}

/**
 * Brings the database to the newest numbered migration, all in one transaction; two processes at once are serialised.
 * Returns the numbers that were applied. @throws Refusal `unavailable` when the database is newer than this program.
 */
export function migrate(db: Database, folder?: string): number[] {
  const known = shipped('sqlite', folder);
  const newest = known.at(-1)?.number ?? 0;
  const apply = db.transaction(() => {
    const present = db.pragma('user_version', { simple: true }) as number;
    refuseNewer(present, newest);
    const due = known.filter((m) => m.number > present);
    for (const { sql } of due) db.exec(sql);
    if (due.length > 0) {
      seedStatistics(db);
      db.pragma(`user_version = ${newest}`);
    }
    return due.map((m) => m.number);
  });
  return apply.immediate();
}
