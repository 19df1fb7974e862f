import { SqliteError } from 'better-sqlite3';
import { Refusal } from '../../domain/errors.ts';

const STORAGE: readonly [prefix: string, text: (path: string) => string][] = [
  ['SQLITE_BUSY', (path) => `The database ${path} is locked by another process; try again shortly.`],
  ['SQLITE_LOCKED', (path) => `The database ${path} is locked; try again shortly.`],
  ['SQLITE_FULL', () => 'The disk is full: nothing was changed. Free some space and try again.'],
  ['SQLITE_IOERR', () => 'The disk did not answer: nothing was changed.'],
  ['SQLITE_READONLY', (path) => `The database ${path} cannot be written to.`],
  [
    'SQLITE_CANTOPEN',
    (path) => `The database ${path} cannot be opened: check the folder and its permissions.`,
  ],
  ['SQLITE_CORRUPT', (path) => `The database ${path} is damaged: restore it from a backup.`],
  ['SQLITE_NOTADB', (path) => `${path} is not a Signalbox database.`],
];

/** What the database says, in words for the operator; other errors are passed on as they are. */
export function storageRefusal(error: unknown, path: string): unknown {
  if (isSystemError(error))
    return new Refusal('unavailable', `The database ${path} cannot be opened: ${error.message}.`, {
      cause: error,
    });
  if (!(error instanceof SqliteError)) return error;
  if (error.code === 'SQLITE_CONSTRAINT_UNIQUE' || error.code === 'SQLITE_CONSTRAINT_PRIMARYKEY')
    return new Refusal('conflict', 'It exists already.', { cause: error });
  const known = STORAGE.find(([prefix]) => error.code.startsWith(prefix));
  if (!known) return error;
  return new Refusal('unavailable', known[1](path), { cause: error, retryAfter: 1_000 });
}

/** What the operating system says: the folder cannot be made, or is a file. */
const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error;

/** Whether the database itself failed: then the whole group is undone, not only the callback that met it. */
export function endsTransaction(error: unknown): boolean {
  return error instanceof SqliteError && !error.code.startsWith('SQLITE_CONSTRAINT');
}

/** Whether another process holds the lock: a repeat may succeed. */
export const isBusy = (error: unknown): boolean =>
  error instanceof SqliteError && error.code.startsWith('SQLITE_BUSY');
