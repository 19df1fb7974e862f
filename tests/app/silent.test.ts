import { expect, onTestFinished, test } from 'vitest';
import { createDatabase } from '../support/postgres.ts';
import { startProxy } from '../support/proxy.ts';
import { startServer, startWorker } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

test('with a database that has fallen silent, server and worker end soon after their grace all the same', async () => {
  const database = await createDatabase();
  const proxy = await startProxy(database.url);
  onTestFinished(async () => {
    await proxy.close();
    await database.drop();
  });
  const options = {
    folder: tempFolder(),
    env: {
      SIGNALBOX_DB: proxy.url,
      SIGNALBOX_ADMIN_TOKEN: 'an-example-token-of-the-administrator',
      SIGNALBOX_GRACE: '2s',
      LOG_LEVEL: 'silent',
    },
  };
  const server = await startServer(options);
  const worker = await startWorker({ ...options, args: ['--health', '0'] });
  expect((await server.command('task create a')).status).toBe(200);
  proxy.silence();
  const refused = await server.command('task create b');
  expect(refused.status).toBe(503);
  const started = performance.now();
  await Promise.all([server.stop(), worker.stop()]);
  // Two seconds of grace, five to close, and what the machine takes.
  expect(performance.now() - started).toBeLessThan(9_500);
}, 60_000);
