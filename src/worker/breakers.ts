import type { Logger } from 'pino';
import type { ReadTx, Store, Tx } from '../core/store.ts';
import {
  breakers,
  failed,
  isOpen,
  permitted,
  speaksFor,
  tried,
  untried,
  type BreakerChange,
  type BreakerRow,
  type BreakerRules,
} from '../domain/breaker.ts';
import { clip } from '../domain/clip.ts';
import { DAY, SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { BodyTooLarge, type GuardedFetch, type GuardedRequest, type GuardedResponse } from './guard.ts';

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
    const why = reason === null ? '' : `: ${reason.replace(/\.$/, '')}`;
    super(
      'unavailable',
      `${isOpen(destination)}${why}; nothing was sent. \`breaker reset ${destination}\` closes it.`,
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
/** Destinations whose breakers are remembered for that long. */
const MOST_KNOWN = 1_000;
/** How often a change that another process was quicker with is decided anew. */
const CONTESTED = 10;
/** A destination that nobody has asked for so long is forgotten, however it stood. */
const FORGOTTEN_AFTER = 7 * DAY;
/** As many as are shown and forgotten at once. */
const MANY = 1_000;

/**
 * One breaker per destination, shared over processes through the store. Connections that break, time-outs and 5xx open
 * it; any other answer shows that the destination is up. Where the store cannot be reached, requests pass.
 */
export class Breakers {
  readonly #options: BreakersOptions;
  readonly #known = new Map<string, { readonly row: Promise<BreakerRow | undefined>; readonly at: number }>();

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

  /** Those that are not closed; none while they cannot be read. */
  async open(): Promise<BreakerRow[]> {
    const where = { state: { in: ['open', 'half-open'] } } as const;
    const rows = await this.#read((tx) => tx.find(breakers, { where, limit: MANY }));
    return rows ?? [];
  }

  async #send(fetch: GuardedFetch, request: GuardedRequest, pass: Pass): Promise<GuardedResponse> {
    let heard = false;
    const answered = (): void => {
      heard = true;
      request.answered?.();
    };
    try {
      const answer = await fetch({ ...request, answered });
      await this.#judged(pass, answer);
      return answer;
    } catch (error) {
      if (request.signal?.aborted) await this.#untried(pass);
      else if (error instanceof Refusal && error.code === 'unavailable')
        await this.#failed(pass, error.message);
      else if (error instanceof BodyTooLarge) await this.#judged(pass, error.head);
      // Too large a head, or a redirect to where we do not go, shows that it is up.
      else if (heard || (error instanceof Refusal && error.code === 'too_large')) await this.#answered(pass);
      else await this.#untried(pass);
      throw error;
    }
  }

  #judged(pass: Pass, { status }: Pick<GuardedResponse, 'status'>): Promise<void> {
    return status >= 500 ? this.#failed(pass, `status ${status}`) : this.#answered(pass);
  }

  /** @throws BreakerOpen while it is open, and while another request tries. */
  async #enter(destination: string, timeout: number): Promise<Pass> {
    const { newId, rules } = this.#options;
    const pass: Pass = { destination, trial: undefined };
    const seen = await this.#seen(destination);
    if (!seen || seen.state === 'closed') return pass;
    const trial = newId();
    const decision = await this.#change(destination, async (tx) => {
      // As it stands now: another process may have closed it, or begun to try.
      const row = await tx.get(breakers, { id: destination });
      const may = permitted(row, rules, tx.now);
      if (may.kind === 'wait')
        return { wait: may.until.getTime() - tx.now.getTime(), reason: row?.reason ?? null };
      if (may.kind === 'pass' || !row) return pass;
      await write(tx, row, tried(trial, timeout, rules, tx.now), 'half_opened');
      return { destination, trial };
    });
    if (!decision) return pass;
    if ('wait' in decision) throw new BreakerOpen(destination, decision.reason, decision.wait);
    return decision;
  }

  async #answered({ destination, trial }: Pass): Promise<void> {
    if (trial === undefined && !(await this.#seen(destination))) return;
    await this.#change(destination, async (tx) => {
      const row = await tx.get(breakers, { id: destination });
      if (row && speaksFor(row, trial)) await forget(tx, row);
    });
  }

  async #untried({ destination, trial }: Pass): Promise<void> {
    if (trial === undefined) return;
    await this.#change(destination, async (tx) => {
      const row = await tx.get(breakers, { id: destination });
      if (row?.trial === trial) await write(tx, row, untried(tx.now), undefined);
    });
  }

  async #failed({ destination, trial }: Pass, reason: string): Promise<void> {
    const { rules } = this.#options;
    const why = clip(reason, 200);
    await this.#change(destination, async (tx) => {
      const row = await tx.get(breakers, { id: destination });
      const after = failed(row, trial, why, rules, tx.now);
      if (!after) return;
      const event = after.state === 'open' ? 'opened' : undefined;
      if (row) return write(tx, row, after, event);
      await forgetOld(tx);
      await tx.insert(breakers, { ...after, id: destination });
      if (event !== undefined) await emit(tx, destination, event, after);
    });
  }

  /** A breaker protects others from us; one that cannot be read or written holds nobody up. */
  async #change<T>(destination: string, work: (tx: Tx) => Promise<T>): Promise<T | undefined> {
    const { store, workspace, log } = this.#options;
    try {
      for (let left = CONTESTED; ; left -= 1) {
        try {
          return await store.transaction(workspace, work);
        } catch (error) {
          const contested = error instanceof Refusal && ['stale', 'conflict'].includes(error.code);
          if (!contested || left === 0) throw error;
        }
      }
    } catch (err) {
      log.warn({ err }, 'a circuit breaker could not be kept; the request goes on');
      return undefined;
    } finally {
      this.#known.delete(destination);
    }
  }

  /** The breaker of a destination, as it was at most a second ago. */
  #seen(destination: string): Promise<BreakerRow | undefined> {
    const known = this.#known.get(destination);
    if (known && performance.now() - known.at < FRESH) return known.row;
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const row = this.#read((tx) => tx.get(breakers, { id: destination }));
    this.#known.set(destination, { row, at: performance.now() });
    return row;
  }

  async #read<T>(work: (tx: ReadTx) => Promise<T>): Promise<T | undefined> {
    const { store, workspace, log } = this.#options;
    try {
      return await store.read(workspace, work);
    } catch (err) {
      log.warn({ err }, 'the circuit breakers could not be read; requests go on');
      return undefined;
    }
  }
}

/** Host and port, the port also where it is the usual one. */
function destinationOf(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null) return undefined;
  return `${parsed.hostname}:${parsed.port || (parsed.protocol === 'https:' ? '443' : '80')}`;
}

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

/** A destination that answers is as one that never failed. @throws Refusal `stale` when it was changed in between. */
async function forget(tx: Tx, { id, version, state }: BreakerRow): Promise<void> {
  if ((await tx.remove(breakers, { id, version })) === 0) throw new Refusal('stale', `${id} has changed.`);
  if (state !== 'closed') await emit(tx, id, 'closed', { failures: 0, reason: null, retryAt: null });
}

/** With each new one the old go, so that names which are asked for once do not pile up. */
async function forgetOld(tx: Tx): Promise<void> {
  const changedAt = { below: new Date(tx.now.getTime() - FORGOTTEN_AFTER) };
  for (const row of await tx.find(breakers, { where: { changedAt }, limit: MANY })) await forget(tx, row);
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
