import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startServer, type Server } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

const SECRET = 'fake-loop-secret-of-this-test';
const BODY = '{"again":true}';
const SIGNATURE = createHmac('sha256', SECRET).update(BODY).digest('hex');

/** `echo` asks the address for another delivery, which the rule turns into another run of `echo`. */
const configuration = (url: string, host: string) => `
workspace: main
allowedHosts: ['${host}']
jobs: { depth: 5, causedPerHour: 6 }
runbooks:
  echo:
    summary: Starts itself
    risk: write
    permission: runbook:echo
    timeout: 10s
    tries: { max: 1 }
    bounds: { logLines: 10, outputBytes: 10000 }
    executor:
      kind: http
      method: POST
      url: '${url}'
      headers:
        content-type: application/json
        x-signature-256: '\${env:LOOP_SIGNATURE}'
      body: '${BODY}'
      expectStatus: [200, 409]
sources:
  loop:
    kind: hmac
    secret: '\${env:LOOP_WEBHOOK_SECRET}'
    deliveryHeader: idempotency-key
    rules:
      - name: again
        when: payload.again
        command: job.run
        args: { runbook: '"echo"' }
`;

async function serve(url: string, host = '127.0.0.1'): Promise<Server> {
  const folder = tempFolder();
  const file = join(folder, 'signalbox.yaml');
  writeFileSync(file, configuration(url, host));
  const env = { SIGNALBOX_CONFIG: file, LOOP_SIGNATURE: SIGNATURE, LOOP_WEBHOOK_SECRET: SECRET };
  return startServer({ folder, env });
}

interface Item {
  readonly id: string;
  readonly causes: readonly string[];
  readonly state: string;
}
const jobsOf = async (server: Server) =>
  ((await (await server.fetch('/v1/jobs?limit=100')).json()) as { items: Item[] }).items;
const eventsOf = async (server: Server) =>
  (
    (await (await server.fetch('/v1/events?after=0')).json()) as {
      events: { event: string; details: Record<string, unknown> }[];
    }
  ).events;
/** The chain has come to its end. */
const settled = (server: Server) =>
  vi.waitFor(
    async () => {
      const stopped = (await eventsOf(server)).filter((one) => one.event === 'job.loop_stopped');
      expect(stopped).toHaveLength(1);
      expect((await jobsOf(server)).every((one) => one.state === 'succeeded')).toBe(true);
      return stopped[0]?.details;
    },
    { interval: 20, timeout: 15_000 },
  );

test('a runbook that starts itself through a webhook of this server is stopped by depth', async () => {
  const server = await serve('${self}/webhooks/loop');
  await server.command('job run echo');
  const details = await settled(server);
  expect(details).toMatchObject({ stoppedBy: 'jobs.depth' });
  const [last, ...before] = await jobsOf(server);
  expect(before.at(-1)).toMatchObject({ id: 'JOB-1', causes: [] });
  expect(last?.causes.filter((cause) => cause.startsWith('JOB-'))).toEqual(['JOB-1', 'JOB-2']);
  expect(before).toHaveLength(2);
}, 30_000);

test('one that does so through somebody who drops the header is stopped by its pace', async () => {
  const here = { url: '' };
  let delivery = 0;
  const relay = createServer((req: IncomingMessage, res) => {
    const pass = async (): Promise<number> => {
      const headers = { 'content-type': 'application/json', 'x-signature-256': SIGNATURE };
      const url = new URL('/webhooks/loop', here.url);
      const init = {
        method: 'POST',
        body: BODY,
        headers: { ...headers, 'idempotency-key': `d${(delivery += 1)}` },
      };
      return (await fetch(url, init)).status;
    };
    req.resume();
    pass().then(
      (status) => res.writeHead(status).end(),
      () => res.writeHead(502).end(),
    );
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  onTestFinished(() => void relay.close());
  const { port } = relay.address() as AddressInfo;
  const server = await serve(`http://127.0.0.1:${port}/`, `127.0.0.1:${port}`);
  here.url = server.url;
  await server.command('job run echo');
  expect(await settled(server)).toMatchObject({
    stoppedBy: 'jobs.causedPerHour',
    causes: ['webhook:loop:d7'],
  });
  expect(await jobsOf(server)).toHaveLength(7);
}, 30_000);
