import pg from 'pg';
import { SECOND } from '../../domain/clock.ts';
import { nameOf } from './address.ts';
import { Session } from './session.ts';
import { isLost } from './storage-errors.ts';

/** What servers act as: neither owner nor superuser, so that row-level security holds for them. */
export const APP_ROLE = 'signalbox_app';

/** A transaction is over by then, or its connection is cut. */
const LONGEST = 15 * SECOND;
const INT8 = 20;

export interface ConnectionOptions {
  readonly url: string;
  /** Milliseconds to wait for a connection, and for another process's lock. */
  readonly lockTimeout: number;
  /** Connections at most. */
  readonly most: number;
}

/** What every connection of a server starts with. Plans are made for large workspaces, as the tables are small only once. */
export function clientConfig({ url, lockTimeout }: Omit<ConnectionOptions, 'most'>): pg.ClientConfig {
  const address = new URL(url);
  // What the address asks for comes first, so that it cannot change the role.
  const asked = address.searchParams.get('options') ?? '';
  address.searchParams.delete('options');
  return {
    connectionString: address.href,
    options: `${asked} -c role=${APP_ROLE} -c jit=off -c enable_seqscan=off`.trimStart(),
    application_name: 'signalbox',
    pipeline: true,
    keepAlive: true,
    connectionTimeoutMillis: lockTimeout,
    lock_timeout: lockTimeout,
    statement_timeout: 10 * SECOND,
    idle_in_transaction_session_timeout: 10 * SECOND,
    types: {
      getTypeParser: ((oid: number, format: 'text') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  };
}

/** The pooled connections of a store. */
export class Connections {
  /** The database's address without user and password. */
  readonly name: string;
  readonly #pool: pg.Pool;

  constructor(options: ConnectionOptions) {
    this.name = nameOf(options.url);
    this.#pool = new pg.Pool({
      ...clientConfig(options),
      max: options.most,
      idleTimeoutMillis: 30 * SECOND,
      // A plan that was made while a table was small does not outlive this, however busy the connection is.
      maxLifetimeSeconds: 300,
    });
    // Of an idle connection that was lost: the next one is made when it is needed.
    this.#pool.on('error', () => undefined);
  }

  /** Runs `work` on a connection of its own, and leaves no transaction open on it. */
  async with<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = new Session(await this.#pool.connect(), LONGEST);
    let broken = true;
    try {
      const result = await work(session);
      broken = false;
      return result;
    } catch (error) {
      if (!isLost(error)) {
        await session.settled();
        await session.ask('ROLLBACK');
        broken = false;
      }
      throw error;
    } finally {
      session.release(broken);
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}
