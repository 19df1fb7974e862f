import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import type { Location } from '../domain/location.ts';

export const EXPECTED =
  'expected the path of a SQLite file, sqlite:path, or postgres://user:password@host:port/database with one host';

/** The form of libpq, which would make a file of a name with a password in it. */
const KEYWORDS = /(^|\s)(host|hostaddr|port|dbname|user|password|passfile|service|sslmode)\s*=/;

/** What SIGNALBOX_DB may be, a relative path from `cwd`; undefined for anything else. */
export function readDatabase(text: string, cwd: string, owner?: string): Location | undefined {
  if (/^postgres(ql)?:/.test(text))
    return isPostgres(text) ? { kind: 'postgres', url: text, owner } : undefined;
  const path = text.replace(/^sqlite:(\/\/(?=\/))?/, '');
  // A database in memory would lose what was acknowledged.
  if (path === '' || path === ':memory:' || /^[a-z][a-z0-9+.-]+:/i.test(path)) return undefined;
  return KEYWORDS.test(path) ? undefined : { kind: 'sqlite', path: resolve(cwd, path) };
}

/** Whether it is an address of PostgreSQL that names one host and a database. */
export function isPostgres(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) return false;
  return /^[^,%]+$/.test(url.host) && !['host', 'hostaddr', 'port'].some((key) => url.searchParams.has(key));
}

/** The first file that an address of PostgreSQL names for TLS and that cannot be read, with its parameter. */
export function missingFile(text: string, cwd: string): string | undefined {
  const files = URL.parse(text)?.searchParams;
  for (const key of ['sslrootcert', 'sslcert', 'sslkey']) {
    const path = files?.get(key);
    if (path && !isReadable(resolve(cwd, path))) return `${key}=${path}`;
  }
  return undefined;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
