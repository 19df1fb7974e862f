import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Refusal } from '../domain/errors.ts';

export interface Migration {
  readonly number: number;
  readonly sql: string;
}

const folderOf = (dialect: 'sqlite' | 'postgres'): string =>
  fileURLToPath(new URL(`../../migrations/${dialect}/`, import.meta.url));

/** The numbered migrations that this version ships, oldest first. */
export function shipped(dialect: 'sqlite' | 'postgres', folder = folderOf(dialect)): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{4}\.sql$/.test(name))
    .toSorted()
    .map((name) => ({ number: Number(name.slice(0, 4)), sql: readFileSync(`${folder}/${name}`, 'utf8') }));
}

/** What runs after the migrations, whichever they were. */
export const protection = (): string => readFileSync(`${folderOf('postgres')}/protect.sql`, 'utf8');

/** @throws Refusal `unavailable` when a database is newer than this program, which then must not touch it. */
export function refuseNewer(present: number, newest = shipped('sqlite').at(-1)?.number ?? 0): void {
  if (present > newest)
    throw new Refusal(
      'unavailable',
      `The database has schema ${present}, and this version of Signalbox knows ${newest}: start a newer version.`,
    );
}
