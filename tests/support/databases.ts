import { openPostgres } from '../../src/store/postgres/store.ts';
import { createHarness } from './harness.ts';
import { createDatabase } from './postgres.ts';

const onPostgres: typeof createHarness = async (over, more) => {
  const database = await createDatabase();
  const h = await createHarness(over, more, (_path, clock) => openPostgres({ url: database.url, clock }));
  return { ...h, close: () => h.close().then(() => database.drop()) };
};

/** For `describe.each`: what holds whatever the database. */
export const DATABASES = [
  ['SQLite', createHarness],
  ['PostgreSQL', onPostgres],
] as const;
