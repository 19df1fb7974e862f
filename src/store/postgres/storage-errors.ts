import pg from 'pg';
import { Refusal } from '../../domain/errors.ts';

/** What PostgreSQL says by code or class of codes (https://www.postgresql.org/docs/17/errcodes-appendix.html). */
const STORAGE: readonly [prefix: string, text: (name: string, said: string) => string][] = [
  ['53100', () => 'The disk of the database is full: nothing was changed. Free some space and try again.'],
  ['53300', (name) => `The database ${name} has no connection left; try again shortly.`],
  ['53', (name) => `The database ${name} is out of resources; try again shortly.`],
  ['55P03', (name) => `The database ${name} is busy: another command held its lock; try again shortly.`],
  ['57014', (name) => `The database ${name} took too long; nothing was changed.`],
  ['57P', (name) => `The database ${name} is stopping or starting; try again shortly.`],
  ['40', (name) => `The database ${name} is busy; try again shortly.`],
  ['25006', (name) => `The database ${name} is a read-only standby.`],
  ['25', (name) => `The database ${name} gave the transaction up; try again.`],
  // It names the user, by which one sees whose address is wrong, and no password.
  ['28', (name, said) => `The database ${name} refused who connected: ${said}.`],
  ['3D000', (name) => `There is no database ${name}.`],
  [
    '42501',
    (name, said) =>
      `The role may not do this in ${name} (${said}): see docs/deploy-postgres.md for what it needs.`,
  ],
  ['42P01', (name) => `The database ${name} lacks a table: run \`signalbox migrate\`.`],
  ['08', (name) => `The database ${name} cannot be reached; try again shortly.`],
];

/** Why a connection did not come about, by code and message, and whether that may pass by itself. */
const REASONS: readonly [pattern: RegExp, text: (said: string) => string, passing: boolean][] = [
  [/ECONNREFUSED/, () => 'nobody listens there', true],
  [/ENOTFOUND|EAI_AGAIN/, () => 'its host is unknown', true],
  [/TIMEDOUT|timeout|UNREACH/, () => 'it does not answer', true],
  [/ECONNRESET|EPIPE|terminated/, () => 'the connection was cut', true],
  [/does not support SSL/, () => 'it does not offer TLS, which the sslmode of its address asks for', false],
  [
    /CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME/,
    (said) => `its certificate is not trusted (${said}); see sslmode and sslrootcert of its address`,
    false,
  ],
  [/EPROTO|ERR_SSL|ERR_TLS|SSL connection/, () => 'its answer to TLS makes no sense', false],
  [/password must be/, () => 'it asks for a password, and its address has none', false],
];

/** No connection came about. */
class Unreachable extends Error {
  readonly passing: boolean;

  constructor(message: string, passing: boolean, cause: unknown) {
    super(message, { cause });
    this.passing = passing;
  }
}

/** The failure to connect: what the database says as it is, everything else with the reason. */
export function unreachable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof pg.DatabaseError || GIVEN_UP.test(error.message))
    return error;
  const { code = '', syscall, path } = error as NodeJS.ErrnoException;
  if (syscall === 'open') return new Unreachable(`the file ${path} cannot be read (${code})`, false, error);
  const known = REASONS.find(([pattern]) => pattern.test(`${code} ${error.message}`));
  const [, text, passing] = known ?? [undefined, (said: string) => said, true];
  return new Unreachable(text(error.message), passing, error);
}

/** What the database says, in words for the operator and without its address's password; other errors as they are. */
export function storageRefusal(error: unknown, name: string): unknown {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? '';
    if (code === '23505') return new Refusal('conflict', 'It exists already.', { cause: error });
    const known = STORAGE.find(([prefix]) => code.startsWith(prefix));
    return known ? unavailable(known[1](name, error.message), error) : error;
  }
  if (error instanceof Unreachable) {
    const again = error.passing ? '; try again shortly' : '';
    return unavailable(`The database ${name} cannot be reached: ${error.message}${again}.`, error);
  }
  if (!isLost(error)) return error;
  if ((error as Error).message === EXHAUSTED)
    return unavailable(
      `All connections of this process to ${name} are in use or without an answer; try again shortly.`,
      error,
    );
  return unavailable(`The connection to the database ${name} was lost; try again shortly.`, error);
}

const unavailable = (text: string, cause: unknown): Refusal =>
  new Refusal('unavailable', text, { cause, retryAfter: 1_000 });

/** What a pool says that has no connection free in time. */
const EXHAUSTED = 'timeout exceeded when trying to connect';
/** What a pool says of itself, and not of the way to the database. */
const GIVEN_UP = new RegExp(`^${EXHAUSTED}$|^Cannot use a pool`);
/** What the driver says of a connection that is gone has no code. */
const GONE = /^Connection terminated|^Query read timeout|not queryable|^Client (was closed|has)/;
/** TLS and streams have codes of their own. */
const GONE_CODE = /^ERR_(SSL|TLS|STREAM|SOCKET)/;

/** Whether there is no connection, or no more: nothing is known of what was under way. */
export function isLost(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(57P0|08|25P03|25P04)/.test(error.code ?? '');
  if (error instanceof Unreachable) return true;
  if (!(error instanceof Error)) return false;
  const { code = '' } = error as NodeJS.ErrnoException;
  const gone = [GIVEN_UP, GONE].some((pattern) => pattern.test(error.message));
  return gone || 'syscall' in error || 'errno' in error || GONE_CODE.test(code);
}

/** Whether a repeat of the whole transaction may succeed: others were in the way, or the connection was lost. */
export function isPassing(error: unknown): boolean {
  if (error instanceof Unreachable) return error.passing;
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
