import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Database } from 'better-sqlite3';
import { Refusal } from '../../domain/errors.ts';
import { seedStatistics } from './statistics.ts';

const FOLDER = fileURLToPath(new URL('../../../migrations/sqlite/', import.meta.url));

interface Migration {
  readonly number: number;
  readonly sql: string;
}

function shipped(folder: string): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}\.sql$/.test(name))
    .toSorted()
    .map((name) => ({ number: Number(name.slice(0, 4)), sql: readFileSync(`${folder}/${name}`, 'utf8') }));
}

/**
 * Brings the database to the newest numbered migration, all in one transaction; two processes at once are serialised.
 * Returns the numbers that were applied.
 * @throws Refusal `unavailable` when the database is newer than this program, which then must not touch it.
 */
export function migrate(db: Database, folder = FOLDER): number[] {
  const known = shipped(folder);
  const newest = known.at(-1)?.number ?? 0;
  const apply = db.transaction(() => {
    const present = db.pragma('user_version', { simple: true }) as number;
    if (present > newest)
      throw new Refusal(
        'unavailable',
        `The database has schema ${present}, and this version of Signalbox knows ${newest}: start a newer version.`,
      );
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
