import pg, { type QueryResult } from 'pg';
import type { ReadTx, Tx } from '../../core/store.ts';
import { Refusal } from '../../domain/errors.ts';
import { journal, type JournalEntry, type NewEntry } from '../../domain/journal.ts';
import type { NewRow, Patch, Query, Row, Table, Where } from '../../domain/table.ts';
import { linkTo } from '../chain.ts';
import type { Bound, Value } from '../statements.ts';
import { statementsOf, type Named } from './dialect.ts';
import type { Engine } from './engine.ts';
import type { Group } from './group.ts';
import type { Line } from './line.ts';
import { BossQueue } from './queue.ts';
import type { Session } from './session.ts';
import { isPassing, refuseNul, storageRefusal } from './storage-errors.ts';
import { Turn } from './turn.ts';
import type { Waiting } from './waiting.ts';

const OVER = 'This transaction is over: a handler may await nothing but ctx.tx.';

interface ReadParts {
  readonly session: Session;
  readonly workspace: string;
  readonly now: Date;
  readonly revisionOf: (tables: readonly Table[]) => number;
}

/** Reads on one connection, at one instant. */
export class PostgresRead implements ReadTx {
  readonly workspace: string;
  readonly now: Date;
  protected readonly turn = new Turn();
  protected closed = false;
  readonly #session: Session;
  readonly #revisionOf: ReadParts['revisionOf'];

  constructor({ session, workspace, now, revisionOf }: ReadParts) {
    this.#session = session;
    this.workspace = workspace;
    this.now = now;
    this.#revisionOf = revisionOf;
  }

  /** Runs the callback. @throws Error when it awaits anything but this. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.turn.of(work);
    } finally {
      this.closed = true;
    }
  }

  async get<T extends Table>(table: T, where: Where<T>): Promise<Row<T> | undefined> {
    const [row] = await this.find(table, { where, limit: 1 });
    return row;
  }

  async find<T extends Table>(table: T, query: Query<T> = {}): Promise<Row<T>[]> {
    const statements = statementsOf(table);
    const { rows } = await this.look(table, statements.find<T>(this.workspace, query));
    return (rows as never[]).map(statements.decode) as Row<T>[];
  }

  async count<T extends Table>(table: T, where: Where<T> = {}): Promise<number> {
    const { rows } = await this.look(table, statementsOf(table).count<T>(this.workspace, where));
    return (rows as { n: number }[])[0]?.n ?? 0;
  }

  revision(tables: readonly Table[]): number {
    if (this.closed) throw new Error(OVER);
    return this.#revisionOf(tables);
  }

  protected look(_table: Table, { statement, values }: Bound<Named>): Promise<QueryResult> {
    return this.ask(statement, values);
  }

  protected ask(statement: Named | string, values: readonly Value[] = []): Promise<QueryResult> {
    if (this.closed) throw new Error(OVER);
    return this.turn.during(this.#session.ask(statement, values));
  }
}

export interface TxParts {
  readonly session: Session;
  readonly group: Group;
  readonly line: Line;
  readonly waiting: Waiting;
  readonly newId: () => string;
  readonly engine: Engine;
}

/**
 * One callback's transaction within a group. Writes are sent and not waited for: what the database refuses of them
 * spoils the group, which is run again with the callback that sent it inside savepoints and waiting for each write.
 */
export class PostgresTx extends PostgresRead implements Tx {
  readonly queue: BossQueue;
  readonly #parts: TxParts;

  constructor(parts: TxParts) {
    const { session, group, line } = parts;
    const { workspace, now } = group;
    super({ session, workspace, now, revisionOf: (tables) => line.revisionOf(tables) });
    this.#parts = parts;
    this.queue = new BossQueue(parts.engine, this);
  }

  id(): string {
    return this.#parts.newId();
  }

  async next(counter: string): Promise<number> {
    this.#open('counters');
    return this.#parts.group.next(counter, (statement, values) => this.ask(statement, values));
  }

  async insert<T extends Table>(table: T, row: NewRow<T>): Promise<Row<T>> {
    this.#open(table.name);
    const full = { ...row, version: 1 } as unknown as Row<T>;
    await this.write(statementsOf(table).insert(this.workspace, full));
    return full;
  }

  async update<T extends Table>(table: T, row: Row<T>, patch: Patch<T>): Promise<Row<T>> {
    this.#open(table.name);
    await this.write(
      statementsOf(table).update(this.workspace, row.id, row.version, patch),
      ({ rowCount }) => {
        if (rowCount !== 1)
          throw new Refusal('stale', 'It was changed by somebody else in between; look again and repeat.');
      },
    );
    return { ...row, ...patch, version: row.version + 1 };
  }

  async remove<T extends Table>(table: T, where: Where<T>): Promise<number> {
    if (Object.keys(where).length === 0) throw new TypeError(`remove from ${table.name} needs a condition`);
    this.#open(table.name);
    const { statement, values } = statementsOf(table).remove<T>(this.workspace, where);
    return (await this.change(statement, values)).rowCount ?? 0;
  }

  async append(entry: NewEntry): Promise<JournalEntry> {
    this.#open(journal.name);
    for (const text of [entry.event, entry.actor, entry.target, entry.correlationId, entry.cause ?? ''])
      refuseNul(text);
    const { group } = this.#parts;
    const written = linkTo(group.head, entry, { workspace: this.workspace, id: this.id(), now: this.now });
    group.entries.push(written);
    return written;
  }

  override revision(tables: readonly Table[]): number {
    this.#open();
    return super.revision(tables);
  }

  /** Runs the callback to its end; if it fails, nothing of it stays. @throws Repeat, or what the callback throws. */
  async runAlone<T>(work: () => Promise<T>): Promise<T> {
    return this.#scope('turn', () =>
      this.run(async () => {
        const result = await work();
        await this.queue.flush();
        return result;
      }),
    );
  }

  async attempt<T>(work: () => Promise<T>): Promise<T> {
    this.#open();
    return this.#scope('call', async () => {
      const result = await work();
      this.#open();
      return result;
    });
  }

  /** Lets the callback wait for something of the store's own that is no statement of this transaction. */
  during<T>(work: Promise<T>): Promise<T> {
    return this.turn.during(work);
  }

  /** A statement of the store's own that changes something; waits for its answer. */
  async change(statement: Named | string, values: readonly Value[] = []): Promise<QueryResult> {
    this.#parts.group.writes += 1;
    return this.ask(statement, values);
  }

  /** Runs `work`; if it throws, its own writes are undone. */
  async #scope<T>(name: 'turn' | 'call', work: () => Promise<T>): Promise<T> {
    const { group, waiting, session } = this.#parts;
    const { careful } = waiting;
    const mark = group.mark();
    const ended = this.queue.mark;
    // Not through `ask`, which is closed once the callback was thrown out.
    const say = (...texts: string[]) => this.turn.during(Promise.all(texts.map((text) => session.ask(text))));
    try {
      if (careful) await say(`SAVEPOINT ${name}`);
      const result = await work();
      if (careful) await say(`RELEASE ${name}`);
      return result;
    } catch (error) {
      // A callback that was thrown out is undone as a whole; so is a group that the database gave up.
      if (name === 'call' && this.closed) throw error;
      if (group.spoilt) throw group.spoilt;
      if (isPassing(error)) throw error;
      if (careful) await say(`ROLLBACK TO ${name}`, `RELEASE ${name}`);
      else if (group.writes > mark.writes) throw group.spoil(waiting, error);
      group.undo(mark);
      this.queue.undo(ended);
      throw storageRefusal(error, '');
    }
  }

  protected override async look(table: Table, bound: Bound<Named>): Promise<QueryResult> {
    // What was appended is written at the end of the group; whoever reads the journal finds it there before.
    const unstored = table === journal ? this.#parts.group.unstored() : undefined;
    if (unstored) await this.write({ statement: unstored[0], values: unstored[1] });
    return super.look(table, bound);
  }

  protected override async ask(
    statement: Named | string,
    values: readonly Value[] = [],
  ): Promise<QueryResult> {
    const { group, waiting } = this.#parts;
    this.#open();
    try {
      return await super.ask(statement, values);
    } catch (error) {
      this.#open();
      // The database has given the transaction up, and without a savepoint there is no way back.
      if (isFromDatabase(error) && !isPassing(error) && !waiting.careful) throw group.spoil(waiting, error);
      throw error;
    }
  }

  /** A statement that changes something. It is sent and not waited for, unless with care; `check` sees its answer. */
  async write(
    { statement, values }: Bound<Named | string>,
    check?: (result: QueryResult) => void,
  ): Promise<void> {
    // One that was thrown out and goes on all the same would write outside of any transaction.
    this.#open();
    const { group, waiting, session } = this.#parts;
    group.writes += 1;
    if (waiting.careful) {
      const result = await this.ask(statement, values);
      check?.(result);
      return;
    }
    session.send(statement, values, (error, result) => {
      try {
        if (error) throw error;
        check?.(result);
      } catch (cause) {
        group.spoil(waiting, cause);
      }
    });
  }

  #open(table?: string): void {
    if (this.closed) throw new Error(OVER);
    const { group } = this.#parts;
    if (group.spoilt) throw group.spoilt;
    if (table !== undefined) group.wroteTo(table);
  }
}

const isFromDatabase = (error: unknown): boolean => error instanceof pg.DatabaseError;
