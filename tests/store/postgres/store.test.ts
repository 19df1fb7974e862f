import { openPostgres } from '../../../src/store/postgres/store.ts';
import { storeContract } from '../../contract/store.ts';
import { createDatabase } from '../../support/postgres.ts';

storeContract('PostgreSQL', async () => {
  const database = await createDatabase();
  const store = await openPostgres({ url: database.url });
  return {
    store,
    async close() {
      await store.close();
      await database.drop();
    },
  };
});
