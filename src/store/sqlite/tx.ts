import type { Queue } from '../../core/queue.ts';
import type { Tx } from '../../core/store.ts';
import { Refusal } from '../../domain/errors.ts';
import { journal, type JournalEntry, type NewEntry } from '../../domain/journal.ts';
import type { NewRow, Patch, Query, Row, Table, Where } from '../../domain/table.ts';
import { linkTo, type ChainHead } from '../chain.ts';
import { endsTransaction, storageRefusal } from './storage-errors.ts';
import type { Fixed } from './fixed.ts';
import { RowQueue } from './queue.ts';
import type { Revisions } from './revisions.ts';
import type { Statements } from './statements.ts';

/** What the transactions of one group share. */
export interface Group {
  readonly now: Date;
  readonly entries: JournalEntry[];
  readonly tables: Map<string, Set<string>>;
  readonly revisions: Revisions;
  statements(table: Table): Statements;
  head(workspace: string): ChainHead;
}

/** One workspace's transaction within a group. Every call answers at once, so awaiting it yields to nothing else. */
export class SqliteTx implements Tx {
  readonly workspace: string;
  readonly now: Date;
  readonly queue: Queue = new RowQueue(this);
  readonly #group: Group;
  readonly #fixed: Fixed;
  readonly #newId: () => string;
  #closed = false;

  constructor(workspace: string, group: Group, fixed: Fixed, newId: () => string) {
    this.workspace = workspace;
    this.now = group.now;
    this.#group = group;
    this.#fixed = fixed;
    this.#newId = newId;
  }

  /** After this every call is refused: a callback that kept `tx` cannot write outside its transaction. */
  close(): void {
    this.#closed = true;
  }

  id(): string {
    return this.#newId();
  }

  async next(counter: string): Promise<number> {
    this.#open('counters', true);
    return (this.#fixed.counter.get(this.workspace, counter) as { value: number }).value;
  }

  async get<T extends Table>(table: T, where: Where<T>): Promise<Row<T> | undefined> {
    const [row] = this.#open(table.name, false)
      .statements(table)
      .find<T>(this.workspace, { where, limit: 1 });
    return row as Row<T> | undefined;
  }

  async find<T extends Table>(table: T, query: Query<T> = {}): Promise<Row<T>[]> {
    return this.#open(table.name, false).statements(table).find<T>(this.workspace, query) as Row<T>[];
  }

  async count<T extends Table>(table: T, where: Where<T> = {}): Promise<number> {
    return this.#open(table.name, false).statements(table).count<T>(this.workspace, where);
  }

  async insert<T extends Table>(table: T, row: NewRow<T>): Promise<Row<T>> {
    const full = { ...row, version: 1 } as unknown as Row<T>;
    this.#open(table.name, true).statements(table).insert(this.workspace, full);
    return full;
  }

  async update<T extends Table>(table: T, row: Row<T>, patch: Patch<T>): Promise<Row<T>> {
    const done = this.#open(table.name, true)
      .statements(table)
      .update(this.workspace, row.id, row.version, patch);
    if (!done)
      throw new Refusal('stale', 'It was changed by somebody else in between; look again and repeat.');
    return { ...row, ...patch, version: row.version + 1 };
  }

  async remove<T extends Table>(table: T, where: Where<T>): Promise<number> {
    if (Object.keys(where).length === 0) throw new TypeError(`remove from ${table.name} needs a condition`);
    return this.#open(table.name, true).statements(table).remove<T>(this.workspace, where);
  }

  async append(entry: NewEntry): Promise<JournalEntry> {
    const group = this.#open(journal.name, true);
    const written = linkTo(group.head(this.workspace), entry, {
      workspace: this.workspace,
      id: this.id(),
      now: this.now,
    });
    group.statements(journal).insert(this.workspace, { ...written, at: this.now });
    group.entries.push(written);
    return written;
  }

  revision(tables: readonly Table[]): number {
    return this.#open('', false).revisions.of(tables);
  }

  async attempt<T>(work: () => Promise<T>): Promise<T> {
    const group = this.#open('', false);
    const head = group.head(this.workspace);
    const before = { ...head };
    const entries = group.entries.length;
    this.#fixed.savepoint.run();
    try {
      const result = await work();
      this.#open('', false);
      this.#fixed.release.run();
      return result;
    } catch (error) {
      // A callback that was thrown out of its group is rolled back as a whole; so is a group the database gave up.
      if (!this.#closed && !endsTransaction(error)) {
        this.#fixed.rollback.run();
        this.#fixed.release.run();
        group.revisions.undone();
        Object.assign(head, before);
        group.entries.length = entries;
      }
      throw endsTransaction(error) ? error : storageRefusal(error, '');
    }
  }

  #open(table: string, write: boolean): Group {
    if (this.#closed) throw new Error('This transaction is over: a handler may await nothing but ctx.tx.');
    if (write) {
      this.#group.revisions.wrote(table);
      const written = this.#group.tables.get(this.workspace);
      if (written) written.add(table);
      else this.#group.tables.set(this.workspace, new Set([table]));
    }
    return this.#group;
  }
}
