import { createHarness } from './harness.ts';
import { openTestPostgres } from './postgres.ts';

const onPostgres: typeof createHarness = (over, more) => createHarness(over, more, openTestPostgres);

/** For `describe.each`: what holds whatever the database. */
export const DATABASES = [
  ['SQLite', createHarness],
  ['PostgreSQL', onPostgres],
] as const;
