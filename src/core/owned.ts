import type { Logger } from 'pino';
import { SECOND } from '../domain/clock.ts';
import { leases } from '../domain/records.ts';
import { holdLease, releaseLease, standing, type Lease } from './leases.ts';
import type { Health } from './adapter.ts';
import type { Store } from './store.ts';

/** Milliseconds that a lease holds unless it is renewed. */
const OWNED_FOR = 10 * SECOND;
/** The owner counts it as lost so big a part of its time before others may. */
const MARGIN = 8;

/** What is done while something is ours. */
export interface Holding {
  /** Called when it becomes ours. What it throws is logged, and it is called again with the next look. */
  begin?(): unknown;
  /** Called when it is lost or given up; the lease is let go only after it has resolved. */
  end?(): unknown;
}

/** Something of which one process at a time has charge. */
export interface Owned {
  /** Whether it is ours, as far as can be known from here: a lease that could not be renewed in time counts as lost. */
  readonly held: boolean;
  /** Whether it is known to be somebody else's; with `held` false too, nobody has been able to look for a while. */
  readonly taken: boolean;
  /** Resolves after the first look, with `begin` done if it is ours. @throws what `begin` throws then. */
  start(): Promise<void>;
  /** Ends what was begun and lets go. Never rejects. */
  stop(): Promise<void>;
}

/** How a channel is that listens only while that is its own, and does not. */
export const standsBy = ({ taken }: Pick<Owned, 'taken'>, others: string): Health =>
  taken
    ? { state: 'standby', reason: `another process ${others}` }
    : { state: 'deaf', reason: 'the database cannot be reached, so nobody knows whose turn it is to listen' };

/** Makes something owned, under the name that all processes know it by. */
export type Own = (name: string, holding: Holding) => Owned;

export interface OwnershipOptions {
  readonly store: Store;
  readonly workspace: string;
  /** Unique among processes. */
  readonly owner: string;
  readonly log: Logger;
  /** Milliseconds; ten seconds unless told. Another takes over within this and a quarter of it. */
  readonly ttl?: number;
}

/**
 * Ownership by lease. It is looked at four times within its time, without the write lock, and renewed when half of it is
 * over. Who could not renew it ends an eighth before it does, so that two never act at once unless that takes longer.
 */
export const createOwn =
  (options: OwnershipOptions): Own =>
  (name, holding) =>
    new LeasedOwned(options, name, holding);

/** For a process that shares nothing with others: everything is its own. */
export const ownAlone: Own = (_name, holding) => {
  let held = false;
  return {
    get held() {
      return held;
    },
    taken: false,
    async start() {
      held = true;
      await holding.begin?.();
    },
    async stop() {
      held = false;
      await holding.end?.();
    },
  };
};

class LeasedOwned implements Owned {
  readonly #options: OwnershipOptions;
  readonly #name: string;
  readonly #holding: Holding;
  readonly #ttl: number;
  #lease: Lease | undefined;
  /** By the process's own steady clock, which no change of the time of day moves. */
  #heldUntil = 0;
  #takenUntil = 0;
  #begun = false;
  #stopped = false;
  #next: NodeJS.Timeout | undefined;
  #lapse: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  /** Beginnings and ends, one after another; looks go on meanwhile, so that a slow beginning loses nothing. */
  #changing: Promise<void> = Promise.resolve();

  constructor(options: OwnershipOptions, name: string, holding: Holding) {
    this.#options = options;
    this.#name = name;
    this.#holding = holding;
    this.#ttl = options.ttl ?? OWNED_FOR;
  }

  get held(): boolean {
    return performance.now() < this.#heldUntil;
  }

  get taken(): boolean {
    return performance.now() < this.#takenUntil;
  }

  async start(): Promise<void> {
    this.#lookNow();
    await this.#looking;
    try {
      await this.#change();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next);
    await this.#looking;
    this.#release();
    await this.#change();
    await this.#letGo();
  }

  #lookNow(): void {
    this.#looking = this.#look().then(() => {
      if (this.#stopped) return;
      const every = this.#ttl / 4;
      // All that a process owns is looked at together, so that renewals share a commit.
      const wait = every - (performance.now() % every);
      this.#next = setTimeout(() => {
        this.#lookNow();
        void this.#looking.then(() => this.#changeSoon());
      }, wait);
    });
  }

  async #look(): Promise<void> {
    const asked = performance.now();
    try {
      const left = await this.#hold();
      this.#takenUntil = left <= 0 ? asked + this.#ttl : 0;
      if (left <= 0) return this.#release();
      // Reckoned from before the question, so that it is over here before it is over in the database.
      this.#heldUntil = asked + left - this.#ttl / MARGIN;
      clearTimeout(this.#lapse);
      // Without word of a renewal by then another may have it soon.
      this.#lapse = setTimeout(() => this.#changeSoon(), this.#heldUntil - performance.now() + 1);
    } catch (err) {
      this.#warn(err, 'its lease could not be looked at');
    }
  }

  /** Takes or keeps the lease. Returns the milliseconds that are left of it; 0 when it is somebody else's. */
  async #hold(): Promise<number> {
    const { store, workspace, owner } = this.#options;
    const look = await store.read(workspace, async (tx) => {
      const row = await tx.get(leases, { id: this.#name });
      return { is: standing(row, owner, tx.now, this.#ttl), row, now: tx.now };
    });
    if (look.is === 'kept' && look.row) return look.row.expiresAt.getTime() - look.now.getTime();
    if (look.is === 'taken') return 0;
    this.#lease = await store.transaction(workspace, (tx) => holdLease(tx, this.#name, owner, this.#ttl));
    return this.#lease ? this.#ttl : 0;
  }

  /** So that another need not wait for its end. */
  async #letGo(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    if (!lease) return;
    const { store, workspace } = this.#options;
    await store
      .transaction(workspace, (tx) => releaseLease(tx, lease))
      .catch((err: unknown) => this.#warn(err, 'its lease was not given up; it runs out by itself'));
  }

  #release(): void {
    clearTimeout(this.#lapse);
    this.#heldUntil = 0;
  }

  /** Begins or ends as it is held or not. @throws what `begin` throws. */
  #change(): Promise<void> {
    const done = this.#changing.then(async () => {
      if (this.held === this.#begun) return;
      if (this.#begun) return this.#end();
      await this.#holding.begin?.();
      this.#begun = true;
    });
    this.#changing = done.catch(() => undefined);
    return done;
  }

  #changeSoon(): void {
    this.#change().catch((err: unknown) => this.#warn(err, 'it could not begin; it is tried again'));
  }

  async #end(): Promise<void> {
    this.#begun = false;
    try {
      await this.#holding.end?.();
    } catch (err) {
      this.#warn(err, 'it did not end cleanly');
    }
  }

  #warn(err: unknown, what: string): void {
    this.#options.log.warn({ err, lease: this.#name }, `of what one process has charge of: ${what}`);
  }
}
