import { SECOND } from '../../domain/clock.ts';
import { nameOf } from './address.ts';
import { serverConfig, type ClientOptions } from './client.ts';
import { Pool } from './pool.ts';
import { Session } from './session.ts';
import { isLost } from './storage-errors.ts';

/** A transaction is over by then, or its connection is cut. */
const LONGEST = 15 * SECOND;

export interface ConnectionOptions extends ClientOptions {
  /** Connections at most. */
  readonly most: number;
}

/** The pooled connections of a store. */
export class Connections {
  /** The database's address without user and password. */
  readonly name: string;
  readonly #pool: Pool;
  readonly #patience: { readonly first: number; readonly all: number };

  constructor({ most, ...options }: ConnectionOptions) {
    this.name = nameOf(options.url);
    // Whatever begins waits for a lock at most.
    this.#patience = { first: options.lockTimeout + SECOND, all: LONGEST };
    this.#pool = new Pool({ ...serverConfig(options), max: most });
  }

  /** Runs `work` on a connection of its own, and leaves no transaction open on it. */
  async with<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = new Session(await this.#pool.connect(), this.#patience, () => this.#pool.cutIdle());
    let broken = true;
    try {
      const result = await work(session);
      broken = false;
      return result;
    } catch (error) {
      if (!isLost(error)) {
        await session.settled();
        // Where the connection is lost by now, what was thrown still says more than that.
        broken = await session.ask('ROLLBACK').then(
          () => false,
          () => true,
        );
      }
      throw error;
    } finally {
      session.release(broken);
    }
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
