import type { Logger } from 'pino';
import { settle } from '../core/approvals.ts';
import { ownAlone, type Own, type Owned } from '../core/owned.ts';
import { buryOrphans, findOrphans } from '../core/jobs/orphans.ts';
import { systemContext } from '../core/system-context.ts';
import type { Services } from '../core/services.ts';
import type { ReadTx } from '../core/store.ts';
import { forgetProcesses } from '../core/worker-leases.ts';
import { approvals, voteTokens } from '../domain/approval.ts';
import { claims } from '../domain/claim.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { confirmations, linkCodes, receipts, refreshTokens, tickets } from '../domain/records.ts';
import { findUnheard, giveUpOld, settleUnheard } from './outbox.ts';
import { pruneLogs, pruneSent } from './pruning.ts';
import { Rounds } from './rounds.ts';

/** How often requests whose time is over are looked for, and how often rows that expired are cleared away. */
const EXPIRE_EVERY = SECOND;
const CLEAR_EVERY = HOUR;
/** How often the job engine is compared with the rows of queued jobs, which are the truth. */
const MEND_EVERY = MINUTE;
/** How long a message that was sent is kept at least: no request waits longer for which it may have to be withdrawn. */
const KEEP_SENT = 31 * DAY;
const PAGE = 500;

/**
 * Ends what has run out: requests for approval are denied by time-out, expired rows are deleted. One process does, to
 * spare the others; that each thing ends once does not depend on it.
 */
export class Sweeper {
  readonly #services: Services;
  readonly #workspace: string;
  readonly #log: Logger;
  readonly #owned: Owned;
  #cleared = 0;
  #mended = 0;

  constructor(services: Services, workspace: string, own: Own = ownAlone) {
    this.#services = services;
    this.#workspace = workspace;
    this.#log = services.log;
    const rounds = new Rounds(() => this.sweep(), EXPIRE_EVERY);
    this.#owned = own('sweeper', { begin: () => rounds.start(), end: () => rounds.stop() });
  }

  start(): Promise<void> {
    return this.#owned.start();
  }

  stop(): Promise<void> {
    return this.#owned.stop();
  }

  /** One look. Never rejects. */
  async sweep(): Promise<void> {
    try {
      await this.#expireApprovals();
      await this.#settleUnheard();
      const now = this.#services.clock.now().getTime();
      // Also where the clock was put back.
      if (Math.abs(now - this.#mended) > MEND_EVERY) {
        this.#mended = now;
        await this.#mend();
      }
      if (Math.abs(now - this.#cleared) > CLEAR_EVERY) {
        this.#cleared = now;
        await this.#clear();
      }
    } catch (err) {
      this.#log.error({ err }, 'expired rows could not be swept; the next look tries again');
    }
  }

  /** Looks without the write lock: of several processes that sweep, none holds up another while nothing is over. */
  async #expireApprovals(): Promise<void> {
    const { store } = this.#services;
    if ((await store.read(this.#workspace, findOver)).length === 0) return;
    await store.transaction(this.#workspace, async (tx) => {
      for (const row of await findOver(tx)) {
        const ctx = systemContext(this.#services, tx, row.correlationId, row.ref);
        try {
          await tx.attempt(() => settle(ctx, row, 'expired', 'nobody decided in time'));
        } catch (err) {
          // The others expire all the same; this one can no longer be voted on anyway.
          if (!(err instanceof Refusal)) throw err;
          this.#log.error({ err, approval: row.ref }, 'a request could not be expired');
        }
      }
    });
  }

  async #settleUnheard(): Promise<void> {
    const { store } = this.#services;
    if ((await store.read(this.#workspace, (tx) => findUnheard(tx, 1))).length > 0)
      await store.transaction(this.#workspace, (tx) => settleUnheard(tx, PAGE));
  }

  async #mend(): Promise<void> {
    const found = await this.#services.store.transaction(this.#workspace, (tx) => tx.queue.mend());
    if (found > 0) this.#log.warn({ jobs: found }, 'the job engine had lost jobs; they were put back');
    await this.#buryOrphans();
  }

  async #buryOrphans(): Promise<void> {
    const { store, catalog } = this.#services;
    if ((await store.read(this.#workspace, (tx) => findOrphans(tx, catalog, 1))).length === 0) return;
    const buried = await store.transaction(this.#workspace, (tx) => buryOrphans(tx, catalog, PAGE));
    this.#log.warn({ jobs: buried }, 'jobs of runbooks that the configuration does not know were given up');
  }

  async #clear(): Promise<void> {
    const { store, catalog } = this.#services;
    for (const table of [
      receipts,
      claims,
      confirmations,
      tickets,
      linkCodes,
      refreshTokens,
      voteTokens,
    ] as const) {
      // In pages, so that after a long time away no command waits for all of it.
      for (let more = true; more; ) {
        more = await store.transaction(this.#workspace, async (tx) => {
          const where = { expiresAt: { below: tx.now } };
          const over = await tx.find(table as typeof receipts, { where, limit: PAGE });
          await tx.remove(table as typeof receipts, { id: { in: over.map((row) => row.id) } });
          return over.length === PAGE;
        });
      }
    }
    for (let more = true; more; )
      more = await store.transaction(this.#workspace, (tx) => giveUpOld(tx, PAGE));
    await store.transaction(this.#workspace, forgetProcesses);
    const before = (age: number) => new Date(this.#services.clock.now().getTime() - age);
    const { keepLogs } = catalog.jobs;
    await pruneLogs(store, this.#workspace, before(keepLogs));
    await pruneSent(store, this.#workspace, before(Math.max(keepLogs, KEEP_SENT)));
  }
}

const findOver = (tx: ReadTx) =>
  tx.find(approvals, { where: { state: 'pending', expiresAt: { atMost: tx.now } }, limit: 50 });
