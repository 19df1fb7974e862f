import type { Database } from 'better-sqlite3';

/** How many rows the planner is told a table has. */
const ROWS = 1_000_000;

/**
 * Tells SQLite's planner that a workspace holds nearly all rows of a table and each further column of an index narrows
 * by a hundred. Without statistics it takes `workspace = ?` for selective and walks a whole primary key where the right
 * index exists; with ANALYZE on an empty database it would learn that everything is small.
 * See https://www.sqlite.org/fileformat2.html#stat1tab for the form.
 */
export function seedStatistics(db: Database): void {
  db.exec('ANALYZE; DELETE FROM sqlite_stat1');
  const add = db.prepare('INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)');
  const tables = db
    .prepare<[], { name: string }>(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
    )
    .all();
  for (const { name: table } of tables) {
    const [{ wr }] = db.pragma(`table_list(${table})`) as [{ wr: number }];
    const indexes = db.pragma(`index_list(${table})`) as { name: string; origin: string; unique: number }[];
    for (const { name, origin, unique } of indexes) {
      const columns = (db.pragma(`index_info(${name})`) as unknown[]).length;
      const equal = Array.from({ length: columns }, (_, i) => Math.max(2, Math.round(ROWS / 100 ** i)));
      if (unique) equal[columns - 1] = 1;
      // The primary key of a table without a rowid goes under the table's own name.
      add.run(table, origin === 'pk' && wr === 1 ? table : name, [ROWS, ...equal].join(' '));
    }
  }
  // Loads what was written on this connection; others read it when they open.
  db.exec('ANALYZE sqlite_schema');
}
