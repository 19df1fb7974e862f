import type { Logger } from 'pino';
import type { Store, Tx } from '../core/store.ts';
import {
  answered,
  breakers,
  failed,
  permitted,
  tried,
  untried,
  type BreakerChange,
  type BreakerRow,
  type BreakerRules,
} from '../domain/breaker.ts';
import { SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import type { GuardedFetch, GuardedRequest, GuardedResponse } from './guard.ts';

export interface BreakersOptions {
  readonly store: Store;
  readonly workspace: string;
  readonly rules: BreakerRules;
  readonly log: Logger;
  readonly newId: () => string;
}

/** The destination is held off: nothing was sent. `retryAfter` is when somebody may try whether it is back. */
export class BreakerOpen extends Refusal {
  constructor(destination: string, reason: string | null, wait: number) {
    const why = reason === null ? '' : `: ${reason}`;
    super(
      'unavailable',
      `The breaker of ${destination} is open${why}; nothing was sent. \`breaker reset ${destination}\` closes it.`,
      { retryAfter: Math.max(1, wait) },
    );
  }
}

/** How a request stands with its breaker. */
interface Pass {
  readonly destination: string;
  /** Set when this request is the one that tries whether the destination is back. */
  readonly trial: string | undefined;
}

/** How long what was read counts, in milliseconds: a healthy destination costs one read in that time and no write. */
const FRESH = SECOND;
/** What a trial may take beyond its own time-out before it counts as lost with its process. */
const TRIAL_GRACE = 5 * SECOND;
/** How often a change that another process was quicker with is decided anew. */
const CONTESTED = 10;

/**
 * One breaker per destination, shared over processes through the store. Connections that break, time-outs and 5xx open
 * it; any other answer shows that the destination is up. Where the store cannot be reached, requests pass.
 */
export class Breakers {
  readonly #options: BreakersOptions;
  #known: { readonly rows: ReadonlyMap<string, BreakerRow>; readonly at: number } | undefined;
  #reading: Promise<ReadonlyMap<string, BreakerRow>> | undefined;

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** The same client, held off from destinations whose breaker is open. */
  around(fetch: GuardedFetch): GuardedFetch {
    return async (request) => {
      const destination = destinationOf(request.url);
      if (destination === undefined) return fetch(request);
      const pass = await this.#enter(destination, request.timeout);
      return this.#send(fetch, request, pass);
    };
  }

  /** Those that are not closed. */
  async open(): Promise<BreakerRow[]> {
    return [...(await this.#rows()).values()].filter(({ state }) => state !== 'closed');
  }

  async #send(fetch: GuardedFetch, request: GuardedRequest, pass: Pass): Promise<GuardedResponse> {
    try {
      const answer = await fetch(request);
      await (answer.status >= 500 ? this.#failed(pass, `status ${answer.status}`) : this.#answered(pass));
      return answer;
    } catch (error) {
      if (request.signal?.aborted) await this.#untried(pass);
      else if (error instanceof Refusal && error.code === 'unavailable')
        await this.#failed(pass, error.message);
      // It answered with more than was wanted, which shows that it is up.
      else if (error instanceof Refusal && error.code === 'too_large') await this.#answered(pass);
      else await this.#untried(pass);
      throw error;
    }
  }

  /** @throws BreakerOpen while it is open, and while another request tries. */
  async #enter(destination: string, timeout: number): Promise<Pass> {
    const { newId, store, workspace } = this.#options;
    const pass: Pass = { destination, trial: undefined };
    const seen = (await this.#rows()).get(destination);
    if (!seen || seen.state === 'closed') return pass;
    const trial = newId();
    const decision = await this.#change(() =>
      store.transaction(workspace, async (tx) => {
        // As it stands now: another process may have closed it, or begun to try.
        const row = await tx.get(breakers, { id: destination });
        const may = permitted(row, tx.now);
        if (may.kind === 'wait')
          return { wait: may.until.getTime() - tx.now.getTime(), reason: row?.reason ?? null };
        if (may.kind === 'pass' || !row) return pass;
        const until = new Date(tx.now.getTime() + timeout + TRIAL_GRACE);
        await write(tx, row, tried(trial, until, tx.now), 'half_opened');
        return { destination, trial };
      }),
    );
    if (!decision) return pass;
    if ('wait' in decision) throw new BreakerOpen(destination, decision.reason, decision.wait);
    return decision;
  }

  async #answered({ destination, trial }: Pass): Promise<void> {
    const seen = (await this.#rows()).get(destination);
    if (trial === undefined && (!seen || (seen.state === 'closed' && seen.failures === 0))) return;
    await this.#update(destination, (row, tx) => row && answered(row, trial, tx.now));
  }

  async #untried({ destination, trial }: Pass): Promise<void> {
    if (trial === undefined) return;
    await this.#update(destination, (row, tx) => (row?.trial === trial ? untried(tx.now) : undefined));
  }

  async #failed({ destination, trial }: Pass, reason: string): Promise<void> {
    const { rules } = this.#options;
    await this.#update(destination, async (row, tx) => {
      const after = failed(row, trial, reason.slice(0, 200), rules, tx.now);
      if (row || !after) return after;
      await tx.insert(breakers, { ...after, id: destination });
      if (after.state === 'open') await emit(tx, destination, 'opened', after);
      return undefined;
    });
  }

  async #update(
    destination: string,
    change: (
      row: BreakerRow | undefined,
      tx: Tx,
    ) => BreakerChange | undefined | Promise<BreakerChange | undefined>,
  ): Promise<void> {
    const { store, workspace } = this.#options;
    await this.#change(() =>
      store.transaction(workspace, async (tx) => {
        const row = await tx.get(breakers, { id: destination });
        const patch = await change(row, tx);
        if (row && patch) await write(tx, row, patch, eventOf(row, patch));
      }),
    );
  }

  /** A breaker protects others from us; one that cannot be read or written holds nobody up. */
  async #change<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      for (let left = CONTESTED; ; left -= 1) {
        try {
          return await work();
        } catch (error) {
          const contested = error instanceof Refusal && ['stale', 'conflict'].includes(error.code);
          if (!contested || left === 0) throw error;
        }
      }
    } catch (err) {
      this.#options.log.warn({ err }, 'a circuit breaker could not be kept; the request goes on');
      return undefined;
    } finally {
      this.#known = undefined;
    }
  }

  /** All breakers as they were at most a second ago; there are as many as destinations that ever failed. */
  async #rows(): Promise<ReadonlyMap<string, BreakerRow>> {
    if (this.#known && performance.now() - this.#known.at < FRESH) return this.#known.rows;
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #read(): Promise<ReadonlyMap<string, BreakerRow>> {
    const { store, workspace, log } = this.#options;
    try {
      const rows = await store.read(workspace, (tx) => tx.find(breakers));
      this.#known = { rows: new Map(rows.map((row) => [row.id, row])), at: performance.now() };
      return this.#known.rows;
    } catch (err) {
      log.warn({ err }, 'the circuit breakers could not be read; the request goes on');
      return this.#known?.rows ?? new Map();
    }
  }
}

/** Host and port, the port also where it is the usual one. */
function destinationOf(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null) return undefined;
  return `${parsed.hostname}:${parsed.port || (parsed.protocol === 'https:' ? '443' : '80')}`;
}

const eventOf = (row: BreakerRow, { state }: BreakerChange): string | undefined => {
  if (state === 'open') return 'opened';
  return state === 'closed' && row.state !== 'closed' ? 'closed' : undefined;
};

/** Counting is no event; a change of state is. */
async function write(
  tx: Tx,
  row: BreakerRow,
  patch: BreakerChange,
  event: string | undefined,
): Promise<void> {
  const after = await tx.update(breakers, row, patch);
  if (event !== undefined) await emit(tx, row.id, event, after);
}

async function emit(
  tx: Tx,
  destination: string,
  event: string,
  { failures, reason, retryAt }: Pick<BreakerRow, 'failures' | 'reason' | 'retryAt'>,
): Promise<void> {
  await tx.append({
    event: `breaker.${event}`,
    actor: 'system',
    target: destination,
    correlationId: tx.id(),
    cause: null,
    details: { failures, reason, retryAt: retryAt?.toISOString() ?? null },
  });
}
