import { GENESIS, type JournalEntry } from '../../domain/journal.ts';
import type { ChainHead } from '../chain.ts';
import type { Value } from '../statements.ts';
import { named, type Named } from './dialect.ts';
import type { Line } from './line.ts';
import type { Session } from './session.ts';
import { Repeat, type Waiting } from './waiting.ts';

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';
export const ENTER = named(`SELECT set_config('signalbox.workspace', $1, true)`);
/** Where a clock was given, other parts of the database can be made to go by it, such as the job engine in tests. */
const INSTANT = named(`SELECT set_config('signalbox.now', $1, true)`);
const LOCK = named('SELECT seq, hash, revisions FROM chains WHERE workspace = $1 FOR UPDATE');
/** After the lock, so that time never runs backwards along the chain. The id tells later whether a lost commit took place. */
const CLOCK = named(
  `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, pg_current_xact_id()::text AS xact`,
);
const FOUND = [
  named('INSERT INTO workspaces (name) VALUES ($1) ON CONFLICT DO NOTHING'),
  named(
    `INSERT INTO chains (workspace, seq, hash, revisions) VALUES ($1, 0, '${GENESIS}', '{}') ON CONFLICT DO NOTHING`,
  ),
];
const MOVE_ON = named('UPDATE chains SET seq = $2, hash = $3, revisions = $4 WHERE workspace = $1');
const LAST_NUMBER = named('SELECT value FROM counters WHERE workspace = $1 AND name = $2');
const NUMBER = named(
  `INSERT INTO counters (workspace, name, value) VALUES ($1, $2, $3)
   ON CONFLICT (workspace, name) DO UPDATE SET value = excluded.value`,
);
const APPEND = named(
  `INSERT INTO journal (seq, at, workspace, id, version, event, actor, target, correlation_id, cause, details, salt,
     commitment, previous, hash)
   SELECT seq, at, $3, id, 1, event, actor, target, correlation_id, cause, details, salt, commitment, previous, hash
   FROM unnest($1::bigint[], $2::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
     $10::text[], $11::text[], $12::text[], $13::text[], $14::text[])
     AS e (seq, at, id, event, actor, target, correlation_id, cause, details, salt, commitment, previous, hash)`,
);

/** How far a group had come at some moment, to go back to. */
interface Mark {
  readonly entries: number;
  readonly stored: number;
  readonly head: ChainHead;
  readonly numbers: ReadonlyMap<string, number>;
  readonly writes: number;
  readonly counted: number;
}

/** What the callbacks of one group share: one database transaction of one workspace, with the end of its chain locked. */
export class Group {
  readonly workspace: string;
  readonly entries: JournalEntry[] = [];
  readonly tables = new Set<string>();
  readonly head: ChainHead = { seq: 0, hash: GENESIS };
  /** Statements that changed something, or may have. */
  writes = 0;
  now = new Date(0);
  /** The database's name of this transaction. */
  xact = '';
  spoilt: Repeat | undefined;
  readonly #session: Session;
  readonly #line: Line;
  /** How many entries are in the database by now; the others are written at the end, in one statement. */
  #stored = 0;
  #numbers = new Map<string, number>();
  readonly #drawn = new Set<string>();

  constructor(session: Session, line: Line) {
    this.#session = session;
    this.#line = line;
    this.workspace = line.workspace;
  }

  /** Begins, with the end of the chain locked: from here on this sees all that was committed in the workspace. */
  async begin(clock: (() => Date) | undefined): Promise<void> {
    const { workspace } = this;
    const session = this.#session;
    const begun = session.ask(BEGIN);
    const entered = session.ask(ENTER, [workspace]);
    const locked = session.ask(LOCK, [workspace]);
    const timed = session.ask(CLOCK);
    const [, , held, time] = await Promise.all([begun, entered, locked, timed]);
    let [row] = held.rows as HeadRow[];
    if (!row) {
      const made = FOUND.map((statement) => session.ask(statement, [workspace]));
      const answers = await Promise.all([...made, session.ask(LOCK, [workspace])]);
      [row] = (answers.at(-1)?.rows ?? []) as HeadRow[];
    }
    if (!row) throw new Error(`the workspace ${workspace} could not be made`);
    Object.assign(this.head, { seq: row.seq, hash: row.hash });
    const [stamp] = time.rows as { now: number; xact: string }[];
    this.now = clock?.() ?? new Date(stamp?.now ?? Number.NaN);
    if (clock) await session.ask(INSTANT, [String(this.now.getTime())]);
    this.xact = stamp?.xact ?? '';
    this.#numbers = this.#line.begin(row.revisions, row.seq);
  }

  /** Whether the database has anything to keep. */
  get wrote(): boolean {
    return this.writes > 0 || this.entries.length > 0 || this.#drawn.size > 0;
  }

  mark(): Mark {
    const { entries, head, writes } = this;
    return {
      entries: entries.length,
      stored: this.#stored,
      head: { ...head },
      numbers: new Map(this.#numbers),
      writes,
      counted: this.#line.writes,
    };
  }

  /** Goes back to the mark with all that is not in the database yet; the database is told by savepoints. */
  undo(mark: Mark): void {
    this.entries.length = mark.entries;
    this.#stored = mark.stored;
    Object.assign(this.head, mark.head);
    this.#numbers = new Map(mark.numbers);
    this.#line.undone(mark.counted);
  }

  wroteTo(table: string): void {
    this.tables.add(table);
    this.#line.wrote(table);
  }

  /** Remembers the first thing that went wrong unseen, and refuses everything from then on. */
  spoil(culprit: Waiting, cause: unknown): Repeat {
    this.spoilt ??= new Repeat(culprit, cause);
    return this.spoilt;
  }

  /** The next number of a counter; the first of each is read, all are written at the end. */
  async next(
    counter: string,
    ask: (statement: Named, values: Value[]) => Promise<{ rows: unknown[] }>,
  ): Promise<number> {
    this.#drawn.add(counter);
    if (!this.#numbers.has(counter)) {
      const { rows } = await ask(LAST_NUMBER, [this.workspace, counter]);
      const [last] = rows as { value: number }[];
      if (!this.#numbers.has(counter)) this.#numbers.set(counter, last?.value ?? 0);
    }
    const number = (this.#numbers.get(counter) ?? 0) + 1;
    this.#numbers.set(counter, number);
    return number;
  }

  /** The statement that writes the entries that are not in the database yet, if there are any. */
  unstored(): [Named, Value[]] | undefined {
    const due = this.entries.slice(this.#stored);
    if (due.length === 0) return undefined;
    this.#stored = this.entries.length;
    const column = (of: (entry: JournalEntry) => string | number | null) => due.map(of);
    return [
      APPEND,
      [
        column((e) => e.seq),
        column((e) => Date.parse(e.at)),
        this.workspace,
        column((e) => e.id),
        column((e) => e.event),
        column((e) => e.actor),
        column((e) => e.target),
        column((e) => e.correlationId),
        column((e) => e.cause),
        column((e) => JSON.stringify(e.details)),
        column((e) => e.salt),
        column((e) => e.commitment),
        column((e) => e.previous),
        column((e) => e.hash),
      ],
    ];
  }

  /** Writes what was left for the end, and waits for every answer. @throws Repeat, or what the database says. */
  async finish(): Promise<void> {
    const { workspace, head } = this;
    const failed: unknown[] = [];
    const send = (statement: Named, values: Value[]) =>
      this.#session.send(statement, values, (error) => error && failed.push(error));
    const entries = this.unstored();
    if (entries) send(...entries);
    for (const name of this.#drawn) send(NUMBER, [workspace, name, this.#numbers.get(name) ?? 0]);
    send(MOVE_ON, [workspace, head.seq, head.hash, this.#line.revisions()]);
    await this.#session.settled();
    if (this.spoilt) throw this.spoilt;
    if (failed.length > 0) throw failed[0];
  }

  /** The counters as they stand, for the next group. */
  get numbers(): Map<string, number> {
    return this.#numbers;
  }
}

interface HeadRow {
  readonly seq: number;
  readonly hash: string;
  readonly revisions: string;
}
