import { once } from 'node:events';
import pg from 'pg';
import { SECOND } from '../../domain/clock.ts';
import { leaving, socketOf } from './client.ts';
import { unreachable } from './storage-errors.ts';

/** Connections that are kept, and that a database which has fallen silent cannot hold on to. */
export class Pool {
  readonly #pool: pg.Pool;
  readonly #open = new Set<pg.PoolClient>();
  readonly #idle = new Set<pg.PoolClient>();

  constructor(config: pg.PoolConfig) {
    this.#pool = new pg.Pool({
      idleTimeoutMillis: 30 * SECOND,
      // A plan that was made while a table was small does not outlive this, however busy the connection is.
      maxLifetimeSeconds: 300,
      ...config,
    });
    this.#pool
      // Of an idle connection that was lost: the next one is made when it is needed.
      .on('error', () => undefined)
      .on('connect', (client) => {
        this.#open.add(client);
        client.once('end', () => this.#open.delete(client));
      })
      .on('acquire', (client) => this.#idle.delete(client))
      .on('release', (_error, client) => this.#idle.add(client))
      .on('remove', (client) => this.#idle.delete(client));
  }

  /** @throws Unreachable, or what the database says. */
  async connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw unreachable(error);
    }
  }

  query(text: string, values?: unknown[]): Promise<pg.QueryResult> {
    return this.#pool.query(text, values);
  }

  /** Gives up what nobody uses at present: what one connection has met is likely to be so for the others. */
  cutIdle(): void {
    for (const client of this.#idle) socketOf(client).destroy();
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#pool.end();
    const left = [...this.#open];
    await leaving(left, Promise.all(left.map((client) => once(client, 'end'))));
  }
}
