import type { Logger } from 'pino';
import { settle } from '../core/approvals.ts';
import { systemContext } from '../core/system-context.ts';
import type { Services } from '../core/services.ts';
import { approvals, voteTokens } from '../domain/approval.ts';
import { HOUR, SECOND } from '../domain/clock.ts';
import { Refusal } from '../domain/errors.ts';
import { confirmations, linkCodes, receipts, refreshTokens, tickets } from '../domain/records.ts';
import { giveUpOld } from './outbox.ts';

/** How often requests whose time is over are looked for, and how often rows that expired are cleared away. */
const EXPIRE_EVERY = SECOND;
const CLEAR_EVERY = HOUR;
const PAGE = 500;

/** Ends what has run out: requests for approval are denied by time-out, expired rows are deleted. */
export class Sweeper {
  readonly #services: Services;
  readonly #workspace: string;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #cleared = 0;

  constructor(services: Services, workspace: string) {
    this.#services = services;
    this.#workspace = workspace;
    this.#log = services.log;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.sweep());
    }, EXPIRE_EVERY);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  /** One look. Never rejects. */
  async sweep(): Promise<void> {
    try {
      await this.#expireApprovals();
      const now = this.#services.clock.now().getTime();
      if (now - this.#cleared > CLEAR_EVERY) {
        this.#cleared = now;
        await this.#clear();
      }
    } catch (err) {
      this.#log.error({ err }, 'expired rows could not be swept; the next look tries again');
    }
  }

  async #expireApprovals(): Promise<void> {
    const { store } = this.#services;
    await store.transaction(this.#workspace, async (tx) => {
      const over = await tx.find(approvals, {
        where: { state: 'pending', expiresAt: { atMost: tx.now } },
        limit: 50,
      });
      for (const row of over) {
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

  async #clear(): Promise<void> {
    const { store } = this.#services;
    for (const table of [receipts, confirmations, tickets, linkCodes, refreshTokens, voteTokens] as const) {
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
  }
}
