import type { PgBoss } from 'pg-boss';
import type { Queue, Taken, Wanted } from '../../core/queue.ts';
import type { Tx } from '../../core/store.ts';
import { jobs, type JobRow } from '../../domain/job.ts';
import type { Bound, Value } from '../statements.ts';
import { named, type Named } from './dialect.ts';
import type { Engine } from './engine.ts';

/** What the engine needs of a transaction. */
interface QueueTx extends Pick<Tx, 'workspace' | 'now' | 'id' | 'find' | 'update'> {
  /** Sends a statement and waits for its answer. */
  change(statement: Named | string, values: readonly Value[]): Promise<{ rows: unknown[] }>;
  /** Sends a statement and waits for nothing. */
  write(bound: Bound<Named | string>): Promise<void>;
  /** Waits for what is no statement of this transaction. */
  during<T>(work: Promise<T>): Promise<T>;
}

type Claim = Pick<JobRow, 'ticket' | 'capability'>;
/** What pg-boss carries of a job besides the name of its runbook. */
interface Carried {
  readonly job: string;
  readonly planned: boolean;
}
/** A connection as pg-boss is given one; what it makes of the rows is its own. */
interface BossDb {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: never[] }>;
}

/**
 * The engine of PostgreSQL: pg-boss carries the id of each queued job, in statements of our own transaction. What only
 * changes something is sent and not waited for: `complete` is fenced by pg-boss, and that our claim holds is known from
 * our own row by then.
 */
export class BossQueue implements Queue {
  readonly #engine: Engine;
  readonly #tx: QueueTx;
  /** Claims that have ended, and of which pg-boss has not been told. */
  readonly #ended: Claim[] = [];

  constructor(engine: Engine, tx: QueueTx) {
    this.#engine = engine;
    this.#tx = tx;
  }

  async put({
    id: job,
    runbook,
    priority,
    capability,
    runAt,
    plan,
  }: Parameters<Queue['put']>[0]): Promise<string> {
    const { boss, name } = await this.#queue(capability);
    const id = this.#tx.id();
    const startAfter = runAt > this.#tx.now ? { startAfter: runAt } : {};
    const group = { id: runbook };
    await this.#tx.during(
      boss.send(name, { job, planned: plan !== null } satisfies Carried, {
        id,
        priority,
        group,
        ...startAfter,
        db: this.#sending({ id }),
      }),
    );
    // pg-boss goes by when it was given a job, and that is not when it is due where it was delayed or put back.
    if (runAt.getTime() !== this.#tx.now.getTime())
      await this.#tx.write({ statement: DUE_SINCE, values: [name, id, runAt.toISOString()] });
    return `${id}:0`;
  }

  async take(wanted: Wanted): Promise<Taken[]> {
    const left = new Map(wanted.room);
    const taken: Taken[] = [];
    for (const [capability, share] of await this.#shares(wanted, left))
      taken.push(...(await this.#fetch(capability, share, left, wanted)));
    return taken;
  }

  async touch(claims: readonly Claim[]): Promise<void> {
    for (const [capability, group] of Map.groupBy(claims, (claim) => claim.capability)) {
      const { boss, name } = await this.#queue(capability);
      const tickets = group.flatMap(({ ticket }) => ticketOf(ticket) ?? []);
      if (tickets.length > 0)
        await boss.touch(name, tickets, { db: this.#sending({ count: tickets.length }) });
    }
  }

  async complete(claim: Claim): Promise<void> {
    this.#ended.push(claim);
  }

  /** Tells pg-boss of the claims that have ended, in one statement: one for each costs more than all the rest. */
  async flush(): Promise<void> {
    for (const [capability, group] of Map.groupBy(this.#ended.splice(0), (claim) => claim.capability)) {
      const tickets = group.flatMap(({ ticket }) => ticketOf(ticket) ?? []);
      if (tickets.length === 0) continue;
      const { boss, name } = await this.#queue(capability);
      const db = this.#sending({ count: tickets.length });
      await this.#tx.during(boss.complete(name, tickets, null, { db }));
    }
  }

  /** How many claims have ended, to go back to when what ended them is undone. */
  get mark(): number {
    return this.#ended.length;
  }

  undo(mark: number): void {
    this.#ended.length = mark;
  }

  async withdraw({ ticket, capability }: Claim): Promise<void> {
    const claim = ticketOf(ticket);
    if (!claim) return;
    const { boss, name } = await this.#queue(capability);
    await this.#tx.during(boss.deleteJob(name, claim.id, { db: this.#sending({ count: 1 }) }));
  }

  async mend(): Promise<number> {
    const { workspace } = this.#tx;
    const { rows } = await this.#tx.change(LOST, [workspace]);
    const ids = (rows as { id: string }[]).map(({ id }) => id);
    const found = ids.length === 0 ? [] : await this.#tx.find(jobs, { where: { id: { in: ids } } });
    for (const row of found) await this.#tx.update(jobs, row, { ticket: await this.put(row) });
    return found.length;
  }

  /** How many of each capability, so that of several the most urgent jobs are taken, whatever they need. */
  async #shares(
    { capabilities, limit, takes }: Wanted,
    left: Map<string, number>,
  ): Promise<[string, number][]> {
    const [only] = capabilities;
    if (capabilities.length === 1 && only !== undefined) return [[only, limit]];
    for (;;) {
      const due = await this.#due(capabilities, limit, left);
      const strange = due.filter(({ runbook, plan }) => takes?.(runbook, plan !== null) === false);
      for (const { runbook } of strange) left.set(runbook, 0);
      if (strange.length === 0)
        return [...Map.groupBy(due, (row) => row.capability)].map(([capability, rows]) => [
          capability,
          rows.length,
        ]);
    }
  }

  #due(capabilities: readonly string[], limit: number, left: ReadonlyMap<string, number>): Promise<JobRow[]> {
    return this.#tx.find(jobs, {
      where: {
        state: 'queued',
        runAt: { atMost: this.#tx.now },
        capability: { in: capabilities },
        runbook: { notIn: fullOf(left) },
      },
      orderBy: [{ column: 'priority', descending: true }, { column: 'runAt' }, { column: 'id' }],
      limit,
    });
  }

  /** Takes jobs of one queue; what a runbook has no room for goes back, and others are taken in its stead. */
  async #fetch(
    capability: string,
    limit: number,
    left: Map<string, number>,
    { takes }: Wanted,
  ): Promise<Taken[]> {
    const { boss, name } = await this.#queue(capability);
    const taken: Taken[] = [];
    for (let more = true; more && taken.length < limit; ) {
      const batchSize = limit - taken.length;
      const found = await this.#tx.during(
        boss.fetch<Carried>(name, {
          batchSize,
          includeMetadata: true,
          ignoreGroups: fullOf(left),
          db: this.#asking,
        }),
      );
      found.sort((a, b) => b.priority - a.priority || +a.createdOn - +b.createdOn || (a.id < b.id ? -1 : 1));
      const over: string[] = [];
      for (const { id, retryCount, groupId, data } of found) {
        if (groupId && takes?.(groupId, data.planned) === false) left.set(groupId, 0);
        const room = left.get(groupId ?? '') ?? Number.POSITIVE_INFINITY;
        if (groupId && left.has(groupId)) left.set(groupId, room - 1);
        if (room > 0) taken.push({ job: data.job, ticket: `${id}:${retryCount}` });
        else over.push(id);
      }
      if (over.length > 0) await this.#tx.write({ statement: RESTORE, values: [name, over] });
      more = over.length > 0;
    }
    return taken;
  }

  /** pg-boss and the name of its queue. Its calls are waited for by `during`, since it may have to look a queue up. */
  #queue(capability: string): Promise<{ boss: PgBoss; name: string }> {
    return this.#tx.during(this.#engine.queue(this.#tx.workspace, capability));
  }

  /** Waits for the answer. */
  get #asking(): BossDb {
    return {
      executeSql: async (text, values = []) => {
        const { rows } = await this.#tx.change(prepared(text), values as Value[]);
        return { rows: rows as never[] };
      },
    };
  }

  /** Waits for nothing; pg-boss is given the answer that it expects. */
  #sending(answer: object): BossDb {
    return {
      executeSql: async (text, values = []) => {
        await this.#tx.write({ statement: prepared(text), values: values as Value[] });
        return { rows: [answer as never] };
      },
    };
  }
}

/** Queued by our rows, and not by pg-boss's. Whoever holds the end of the chain sees both as they are. */
const LOST = named(
  `SELECT id FROM jobs j WHERE workspace = $1 AND state = 'queued' AND NOT EXISTS (
     SELECT FROM pgboss.job b WHERE b.name = j.workspace || '/' || j.capability AND b.state < 'active'
       AND b.id = split_part(j.ticket, ':', 1)::uuid
   ) LIMIT 500`,
);

/** Of equal priority it gives out first what was created first; it has no public name for setting that. */
const DUE_SINCE = named(
  'UPDATE pgboss.job SET created_on = $3::timestamptz WHERE name = $1 AND id = $2::uuid',
);

/** What pg-boss does itself with what it fetched and may not start yet; it has no public name for it. */
const RESTORE = named(
  `UPDATE pgboss.job SET state = 'created', started_on = NULL, heartbeat_on = NULL
   WHERE name = $1 AND id = ANY ($2::uuid[])`,
);

/** The text of a statement differs by queue and by how many are asked for; past that many no more names are given out. */
const MOST_PREPARED = 200;
const statements = new Map<string, Named>();

function prepared(text: string): Named | string {
  const known = statements.get(text);
  if (known || statements.size >= MOST_PREPARED) return known ?? text;
  const statement = named(text);
  statements.set(text, statement);
  return statement;
}

const fullOf = (room: ReadonlyMap<string, number>): string[] =>
  [...room].filter(([, left]) => left <= 0).map(([runbook]) => runbook);

function ticketOf(ticket: string | null): { id: string; retryCount: number } | undefined {
  const [id, retryCount] = ticket?.split(':') ?? [];
  return id === undefined ? undefined : { id, retryCount: Number(retryCount) };
}
