import pg from 'pg';
import { Refusal } from '../../domain/errors.ts';

/** What PostgreSQL says by code or class of codes (https://www.postgresql.org/docs/17/errcodes-appendix.html). */
const STORAGE: readonly [prefix: string, text: (name: string) => string][] = [
  ['53100', () => 'The disk of the database is full: nothing was changed. Free some space and try again.'],
  ['53300', (name) => `The database ${name} has no connection left; try again shortly.`],
  ['53', (name) => `The database ${name} is out of resources; try again shortly.`],
  ['55P03', (name) => `The database ${name} is busy: another command held its lock; try again shortly.`],
  ['57014', (name) => `The database ${name} took too long; nothing was changed.`],
  ['57P', (name) => `The database ${name} is stopping or starting; try again shortly.`],
  ['40', (name) => `The database ${name} is busy; try again shortly.`],
  ['25006', (name) => `The database ${name} is a read-only standby.`],
  ['25', (name) => `The database ${name} gave the transaction up; try again.`],
  ['28', (name) => `The database ${name} refused the user or the password of SIGNALBOX_DB.`],
  ['3D000', (name) => `There is no database ${name}.`],
  [
    '42501',
    (name) =>
      `The role of SIGNALBOX_DB may not do this in ${name}: see docs/deploy-postgres.md for what it needs.`,
  ],
  ['42P01', (name) => `The database ${name} lacks a table: run \`signalbox migrate\`.`],
  ['08', (name) => `The database ${name} cannot be reached; try again shortly.`],
];

/** What the database says, in words for the operator and without its address's password; other errors as they are. */
export function storageRefusal(error: unknown, name: string): unknown {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? '';
    if (code === '23505') return new Refusal('conflict', 'It exists already.', { cause: error });
    const known = STORAGE.find(([prefix]) => code.startsWith(prefix));
    return known ? new Refusal('unavailable', known[1](name), { cause: error, retryAfter: 1_000 }) : error;
  }
  if (!isLost(error)) return error;
  const text = `The database ${name} cannot be reached; try again shortly.`;
  return new Refusal('unavailable', text, { cause: error, retryAfter: 1_000 });
}

/** What pg says of a connection that is gone has no code. */
const GONE =
  /^Connection terminated|^timeout e|not queryable|^Client was closed|^Client has|^Cannot use a pool/;

/** Whether there is no connection, or no more: nothing is known of what was under way. */
export function isLost(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(57P0|08|25P03|25P04)/.test(error.code ?? '');
  return error instanceof Error && ('syscall' in error || 'errno' in error || GONE.test(error.message));
}

/** Whether a repeat of the whole transaction may succeed: others were in the way, or the connection was lost. */
export function isPassing(error: unknown): boolean {
  return (
    isLost(error) || (error instanceof pg.DatabaseError && /^(40001|40P01|53300)/.test(error.code ?? ''))
  );
}

/** PostgreSQL keeps no NUL in text. @throws Refusal `invalid_argument` that says so. */
export function refuseNul(text: string): void {
  if (text.includes('\0'))
    throw new Refusal(
      'invalid_argument',
      'A text holds the character NUL (\\0), which cannot be stored; leave it out.',
    );
}
