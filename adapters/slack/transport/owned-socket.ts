import type { Health } from '../../../src/core/adapter.ts';
import { standsBy, type Own, type Owned } from '../../../src/core/owned.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import type { SocketMode } from './socket-mode.ts';

/** The Socket Mode connection of whichever process has charge of it: Slack would deal its envelopes out among several. */
export class OwnedSocket {
  readonly #create: () => Promise<SocketMode>;
  readonly #owned: Owned;
  #socket: SocketMode | undefined;
  #stopping: AbortSignal | undefined;

  constructor(create: () => Promise<SocketMode>, own: Own) {
    this.#create = create;
    this.#owned = own('slack:socket', {
      begin: () => this.#open(),
      end: () => this.#socket?.stop(AbortSignal.timeout(SECOND)),
    });
  }

  /** Why nothing can be heard although it is ours; undefined while it can, or another process listens. */
  get problem(): string | undefined {
    return this.#owned.held ? this.#socket?.problem : undefined;
  }

  /** Set while it is not ours. */
  get standby(): Health | undefined {
    return this.#owned.held ? undefined : standsBy(this.#owned, 'holds the Socket Mode connection');
  }

  /** Resolves after the first try. @throws Refusal `unauthenticated` when Slack refuses the app token. */
  start(): Promise<void> {
    return this.#owned.start();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping = deadline;
    await this.#socket?.stop(deadline);
    await this.#owned.stop();
  }

  /** A connection cannot be used twice, so each time is a new one. */
  async #open(): Promise<void> {
    const socket = await this.#create();
    if (this.#stopping) return;
    this.#socket = socket;
    await socket.start();
  }
}
