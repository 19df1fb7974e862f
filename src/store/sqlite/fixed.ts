import type { Database, Statement } from 'better-sqlite3';

/** The savepoint of a callback and those of its attempts have names of their own: undoing the first undoes them all. */
export interface Fixed {
  readonly savepoint: Statement;
  readonly release: Statement;
  readonly rollback: Statement;
  readonly counter: Statement<[string, string], { value: number }>;
}

export interface FixedStatements extends Fixed {
  readonly begin: Statement;
  readonly commit: Statement;
  readonly abort: Statement;
  readonly openTurn: Statement;
  readonly closeTurn: Statement;
  readonly undoTurn: Statement;
  readonly dataVersion: Statement;
  readonly head: Statement;
}

/** The statements that belong to no table: the transaction's own, the end of the chain, the counters. */
export function fixedStatements(db: Database): FixedStatements {
  return {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    abort: db.prepare('ROLLBACK'),
    openTurn: db.prepare('SAVEPOINT turn'),
    closeTurn: db.prepare('RELEASE turn'),
    undoTurn: db.prepare('ROLLBACK TO turn'),
    savepoint: db.prepare('SAVEPOINT call'),
    release: db.prepare('RELEASE call'),
    rollback: db.prepare('ROLLBACK TO call'),
    dataVersion: db.prepare('PRAGMA data_version').pluck(),
    head: db.prepare('SELECT seq, hash FROM journal WHERE workspace = +? ORDER BY seq DESC LIMIT 1'),
    counter: db.prepare(
      `INSERT INTO counters (workspace, name, value) VALUES (?, ?, 1)
       ON CONFLICT (workspace, name) DO UPDATE SET value = value + 1 RETURNING value`,
    ),
  };
}
