import { existsSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client } from '../adapters/websocket/world.ts';
import { run, startServer, type Server } from '../support/spawn.ts';
import { tempFolder } from '../support/temp.ts';

/** A runbook that says it has begun, waits for a file and says it has ended. */
const PATIENT = `
runbooks:
  patient:
    summary: Waits for a file
    risk: write
    permission: runbook:patient
    timeout: 1m
    tries: { max: 2 }
    bounds: { logLines: 10, outputBytes: 1000 }
    args: { required: [file], properties: { file: { type: string } } }
    executor:
      kind: shell
      argv:
        - node
        - -e
        - |
          const { existsSync } = require('node:fs');
          console.log('begun');
          setInterval(() => existsSync(process.argv[1]) && process.exit(0), 10);
        - --
        - \${args.file}
`;

function patientFolder(): string {
  const folder = tempFolder();
  writeFileSync(join(folder, 'signalbox.yaml'), PATIENT);
  return folder;
}

async function open(server: Server): Promise<Client> {
  const headers = { authorization: `Bearer ${server.token}` };
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/ws`, ['signalbox.v1'], { headers });
  const client = new Client(socket);
  await once(socket, 'open');
  return client;
}

/** Starts the patient job and waits until its program runs. */
async function begin(client: Client, file: string): Promise<void> {
  client.send({ type: 'subscribe', topics: ['log.*'] });
  client.send({ type: 'command', id: 'run', text: `job run patient --file ${file}` });
  for (;;) {
    const frame = await client.next();
    if (frame.type === 'reply') expect(frame).toMatchObject({ id: 'run', status: 'ok' });
    if (frame['line'] === 'begun') return;
  }
}

test('SIGTERM takes nothing new, lets what runs finish, says goodbye with 1001 and closes the database', async () => {
  const folder = patientFolder();
  const server = await startServer({ folder });
  const client = await open(server);
  const file = join(folder, 'go-on');
  await begin(client, file);
  const silent = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(silent, 'connect');
  const hungUp = once(silent.resume(), 'close');

  server.signal('SIGTERM');
  expect(await client.closed).toMatchObject({ code: 1001 });
  // The port is closed while the job goes on; a connection on which nothing was asked does not hold the stop up.
  await hungUp;
  await expect(server.fetch('/healthz')).rejects.toThrow('fetch failed');
  writeFileSync(file, '');
  expect(await server.ended).toMatchObject({ code: 0, signal: null, err: '' });
  expect(existsSync(join(folder, 'signalbox.db-wal'))).toBe(false);

  const again = await startServer({ folder });
  again.token = server.token;
  expect(await (await again.fetch('/v1/jobs/JOB-1')).json()).toMatchObject({ state: 'succeeded' });
});

test('a second signal does not wait, and what was acknowledged is there', async () => {
  const folder = patientFolder();
  const server = await startServer({ folder });
  const client = await open(server);
  const file = join(folder, 'go-on');
  await begin(client, file);
  expect((await server.command('task create Lamp')).status).toBe(200);
  server.signal('SIGINT');
  await client.closed;
  expect(await server.stop('SIGINT')).toMatchObject({ code: 1 });
  // What the job started lives on, as after a crash; it may end now.
  writeFileSync(file, '');
  const verified = await run(['audit', 'verify'], { folder });
  expect(verified).toMatchObject({ code: 0 });
  const again = await startServer({ folder });
  again.token = server.token;
  expect(await (await again.fetch('/v1/tasks')).json()).toMatchObject({ items: [{ title: 'Lamp' }] });
});
