import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { startApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/index.ts';
import { Rest } from '../e2e/support/rest.ts';
import { soon } from '../e2e/support/soon.ts';
import { tempFolder } from '../support/temp.ts';
import { serve } from '../worker/executors/bench.ts';

test('a destination that fails is held off, seen over REST and in the metrics, and reset', async () => {
  const { url, server, seen } = await serve((res) => res.writeHead(503).end());
  onTestFinished(() => server.close().closeAllConnections());
  const { host } = new URL(url);
  const folder = tempFolder();
  writeFileSync(
    join(folder, 'signalbox.yaml'),
    `allowedHosts: ['${host}']
limits: { perSender: 100000 }
breakers: { failures: 2, open: 1h, cap: 1h }
runbooks:
  ask:
    summary: Ask
    risk: read
    permission: runbook:ask
    timeout: 10s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 1000 }
    executor: { kind: http, method: GET, url: '${url}/' }
`,
  );
  const app = await startApp(await loadConfig({ env: { PORT: '0' }, cwd: folder }), {
    log: pino({ level: 'silent' }),
  });
  onTestFinished(() => app.stop());
  const admin = new Rest(app.url, app.adminToken ?? '');
  const metrics = async () => (await fetch(`${app.url}/metrics`)).text();
  const errorOf = (n: number, state: string) =>
    soon(async () => {
      const { body } = await admin.get(`/v1/jobs/JOB-${n}`);
      expect(body).toMatchObject({ state, error: expect.any(String) });
      return (body as { error?: string }).error;
    });
  const asked = async (n: number, state = 'failed') => {
    await admin.command('job run ask');
    return errorOf(n, state);
  };

  expect(await asked(1)).toContain('got 503');
  expect(await metrics()).not.toContain('signalbox_breaker_open{');
  expect(await asked(2)).toContain('got 503');
  expect(await asked(3, 'queued')).toContain(`The breaker of ${host} is open: status 503; nothing was sent.`);
  expect(seen).toHaveLength(2);
  expect(await metrics()).toContain(`signalbox_breaker_open{destination="${host}"} 1`);
  expect((await admin.get('/v1/breakers')).body.items).toMatchObject([
    { id: host, state: 'open', failures: 2 },
  ]);

  expect((await admin.post(`/v1/breakers/${host}/reset`, {})).body).toMatchObject({
    id: host,
    state: 'closed',
  });
  await soon(async () => expect(await metrics()).not.toContain('signalbox_breaker_open{'));
  expect(await errorOf(3, 'failed')).toContain('got 503');
});
