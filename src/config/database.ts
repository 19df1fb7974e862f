import { resolve } from 'node:path';

/** Where the database is. The address of a PostgreSQL has a password in it, so it is shown nowhere. */
export type DatabaseSettings =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'postgres';
      readonly url: string;
      /** The owner's address, for migrating; undefined: `url` does. */
      readonly owner: string | undefined;
    };

export const EXPECTED =
  'expected the path of a SQLite file, sqlite:path, or postgres://user:password@host:port/database';

/** What SIGNALBOX_DB may be, a relative path from `cwd`; undefined for anything else. */
export function readDatabase(text: string, cwd: string, owner?: string): DatabaseSettings | undefined {
  if (/^postgres(ql)?:/.test(text))
    return isPostgres(text) ? { kind: 'postgres', url: text, owner } : undefined;
  const path = text.replace(/^sqlite:(\/\/(?=\/))?/, '');
  // A database in memory would lose what was acknowledged.
  if (path === '' || path === ':memory:' || /^[a-z][a-z0-9+.-]+:/i.test(path)) return undefined;
  return { kind: 'sqlite', path: resolve(cwd, path) };
}

/** Whether it is an address of PostgreSQL that names a database. */
export function isPostgres(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1;
}
