import { jobsContract } from '../../contract/jobs.ts';
import { createDatabase } from '../../support/postgres.ts';

jobsContract('PostgreSQL', async () => {
  const database = await createDatabase();
  return {
    database: database.url,
    forget: () => database.sql(`DELETE FROM pgboss.job WHERE state < 'active'`),
    close: () => database.drop(),
  };
});
