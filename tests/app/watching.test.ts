import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { verifyStandard } from '../../adapters/webhook/verify/standard.ts';
import { startServer } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';
import { soon } from '../worker/support.ts';

const RUNBOOK = `
allowedHosts: ['127.0.0.1']
runbooks:
  count:
    summary: Count to three
    risk: write
    permission: runbook:count
    timeout: 20s
    tries: { max: 1 }
    bounds: { logLines: 100, outputBytes: 10000 }
    executor:
      kind: shell
      argv:
        - node
        - -e
        - |
          const { writeSync } = require('node:fs');
          for (const n of [1, 2, 3]) {
            console.log('line ' + n);
            writeSync(3, JSON.stringify({ progress: { percent: n * 30, text: 'at ' + n } }) + '\\n');
          }
`;

test('a job asked for over REST is watched to its end, which is posted signed; a schedule runs it by itself', async () => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const posted: { headers: NodeJS.Dict<string[]>; body: Buffer }[] = [];
  const receiver = createServer((req, res) => {
    void buffer(req).then((body) => {
      posted.push({ headers: req.headersDistinct, body });
      res.end();
    });
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void receiver.close());
  await once(receiver, 'listening');
  const notify = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/ended`;

  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), RUNBOOK);
  const server = await startServer({ folder, env: { SIGNALBOX_NOTIFY_SECRET: secret } });
  const call = (method: string, path: string, body?: unknown) =>
    fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

  const asked = await call('POST', '/v1/jobs', { runbook: 'count', notify, priority: 7 });
  expect([asked.status, asked.headers.get('location')]).toEqual([201, '/v1/jobs/JOB-1']);
  const { origin } = new URL(notify);
  expect(await asked.json()).toMatchObject({ id: 'JOB-1', priority: 7, state: 'queued', notify: origin });

  const stream = await (await call('GET', '/v1/jobs/JOB-1/logs/stream')).text();
  const events = stream.split('\n\n').flatMap((frame) => /^event: (\w+)$/m.exec(frame)?.[1] ?? []);
  expect(events.at(-1)).toBe('end');
  expect(stream).toContain('"line":"line 3","stream":"out"');
  expect(stream).toContain('"line":"90 % at 3","stream":"progress"');
  expect(stream).toContain('{"type":"end","job":"JOB-1","state":"succeeded"}');

  const [end] = await soon(() => {
    expect(posted).toHaveLength(1);
    return posted;
  });
  expect(verifyStandard(end?.headers ?? {}, end?.body ?? Buffer.of(), [secret], new Date())).toHaveProperty(
    'delivery',
  );
  expect(JSON.parse(String(end?.body))).toMatchObject({
    type: 'job.succeeded',
    data: { id: 'JOB-1', progress: { percent: 90, text: 'at 3' } },
  });

  const at = new Date(Date.now() + 1_000).toISOString();
  const planned = await call('POST', '/v1/schedules', { name: 'soon', run: 'job run count', at });
  expect([planned.status, planned.headers.get('location')]).toEqual([201, '/v1/schedules/SCH-1']);
  await vi.waitFor(async () => expect((await call('GET', '/v1/jobs/JOB-2')).status).toBe(200), {
    interval: 250,
    timeout: 10_000,
  });
  expect(await (await call('GET', '/v1/jobs/JOB-2')).json()).toMatchObject({
    causes: ['SCH-1'],
    requester: 'admin',
  });
  expect(await (await call('GET', '/v1/schedules/soon')).json()).toMatchObject({ runs: 1, nextAt: null });
  expect(await server.stop()).toMatchObject({ code: 0 });
}, 30_000);
