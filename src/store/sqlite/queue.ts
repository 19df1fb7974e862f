import type { Queue, Taken, Wanted } from '../../core/queue.ts';
import type { Tx } from '../../core/store.ts';
import { jobs, type JobRow } from '../../domain/job.ts';

/** The embedded engine: the rows of the jobs are the queue, and one write lock keeps two claims apart. */
export class RowQueue implements Queue {
  readonly #tx: Pick<Tx, 'find' | 'now'>;

  constructor(tx: Pick<Tx, 'find' | 'now'>) {
    this.#tx = tx;
  }

  async put(): Promise<null> {
    return null;
  }

  /** One seek for each priority that is in use, so that jobs of a later day are not walked over. */
  async take(wanted: Wanted): Promise<Taken[]> {
    const taken: JobRow[] = [];
    const room = new Map(wanted.room);
    for (let below = Number.MAX_SAFE_INTEGER; taken.length < wanted.limit; ) {
      const [head] = await this.#tx.find(jobs, {
        where: { state: 'queued', priority: { below } },
        orderBy: [{ column: 'priority', descending: true }],
        limit: 1,
      });
      if (!head) break;
      taken.push(...(await this.#level(head.priority, wanted, wanted.limit - taken.length, room)));
      below = head.priority;
    }
    return taken.map((row) => ({ job: row.id, ticket: null, row }));
  }

  async touch(): Promise<void> {}

  async complete(): Promise<void> {}

  async withdraw(): Promise<void> {}

  async mend(): Promise<number> {
    return 0;
  }

  /** The longest due of one priority, as many as there is room for. Takes its room from `room`. */
  async #level(
    priority: number,
    wanted: Wanted,
    limit: number,
    room: Map<string, number>,
  ): Promise<JobRow[]> {
    for (;;) {
      const due = await this.#due(priority, wanted, limit, room);
      const strange = due.filter(({ runbook, plan }) => wanted.takes?.(runbook, plan !== null) === false);
      for (const { runbook } of strange) room.set(runbook, 0);
      if (strange.length === 0)
        return due.filter(({ runbook }) => {
          const left = room.get(runbook);
          if (left === undefined) return true;
          room.set(runbook, left - 1);
          return left > 0;
        });
    }
  }

  #due(
    priority: number,
    { capabilities }: Wanted,
    limit: number,
    room: ReadonlyMap<string, number>,
  ): Promise<JobRow[]> {
    const full = [...room].filter(([, left]) => left <= 0).map(([runbook]) => runbook);
    return this.#tx.find(jobs, {
      where: {
        state: 'queued',
        priority,
        runAt: { atMost: this.#tx.now },
        capability: { in: capabilities },
        ...(full.length > 0 && { runbook: { notIn: full } }),
      },
      orderBy: [{ column: 'runAt' }, { column: 'id' }],
      limit,
    });
  }
}
