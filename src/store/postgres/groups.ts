import { setTimeout } from 'node:timers/promises';
import type { Tx } from '../../core/store.ts';
import type { Clock } from '../../domain/clock.ts';
import { Refusal } from '../../domain/errors.ts';
import type { Table } from '../../domain/table.ts';
import type { Connections } from './connections.ts';
import { named } from './dialect.ts';
import type { Engine } from './engine.ts';
import { Group } from './group.ts';
import { Line } from './line.ts';
import type { Session } from './session.ts';
import { isLost, isPassing, storageRefusal } from './storage-errors.ts';
import { PostgresTx } from './tx.ts';
import { Repeat, type Waiting } from './waiting.ts';
import type { Watcher } from './watcher.ts';

/** A group ends after this many callbacks or milliseconds, whichever comes first: other processes wait for it. */
const GROUP_SIZE = 256;
const GROUP_TIME = 25;
/** Times a group is run anew because others were in the way or the connection was lost, and the first wait, in milliseconds. */
const TRIES = 5;
const WAIT = 40;
/** Times a group is run anew for a callback that needs care; then all of them are run with care. */
const REPEATS = 4;

const OUTCOME = named('SELECT pg_xact_status($1::xid8) AS status');

export interface GroupsParts {
  readonly connections: Connections;
  /** Others, free also while all of the first are lost. */
  readonly looking: Connections;
  /** The database's own where there is none. */
  readonly clock: Clock | undefined;
  readonly newId: () => string;
  readonly engine: Engine;
  /** Milliseconds after which a group is not tried once more. */
  readonly patience: number;
  /** Told of each group once it is durable and answered. */
  readonly committed: Watcher['committed'];
}

/**
 * Runs callbacks in groups: one group at a time in each workspace, those of different workspaces beside one another. A
 * group whose connection is lost, or that others were in the way of, is run anew; nobody is answered before the commit.
 */
export class Groups {
  readonly #parts: GroupsParts;
  readonly #lines = new Map<string, Line>();
  #ending = false;

  constructor(parts: GroupsParts) {
    this.#parts = parts;
  }

  run<T>(workspace: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const line = this.#lineOf(workspace);
    line.waiting.push({ work, resolve: resolve as (value: unknown) => void, reject, careful: false });
    line.running ??= this.#drain(line);
    return promise;
  }

  /** Tells of the tables as they are in a snapshot that was taken while a workspace's counts were these. */
  revisionAt(workspace: string, counts: string): (tables: readonly Table[]) => number {
    return this.#lineOf(workspace).revisionAt(counts);
  }

  /** Resolves when nobody waits any more; nobody is to come. */
  async settled(): Promise<void> {
    this.#ending = true;
    for (const line of this.#lines.values()) await line.running;
  }

  #lineOf(workspace: string): Line {
    let line = this.#lines.get(workspace);
    if (!line) {
      line = new Line(workspace);
      this.#lines.set(workspace, line);
    }
    return line;
  }

  async #drain(line: Line): Promise<void> {
    try {
      while (line.waiting.length > 0) await this.#runGroup(line);
    } finally {
      line.running = undefined;
    }
  }

  /** Runs what waits until it is durable, over and over where that helps; refuses it otherwise. */
  async #runGroup(line: Line): Promise<void> {
    const taken: Waiting[] = [];
    const until = performance.now() + this.#parts.patience;
    for (let tries = 1, repeats = 0; ; ) {
      try {
        const settle = await this.#parts.connections.with((session) => this.#attempt(session, line, taken));
        settle();
        return;
      } catch (error) {
        if (error instanceof Repeat) {
          repeats += 1;
          error.culprit.careful = true;
          if (repeats > REPEATS) for (const waiting of taken) waiting.careful = true;
          continue;
        }
        if (isPassing(error) && tries < TRIES && performance.now() < until && !this.#ending) {
          await setTimeout(WAIT * 2 ** (tries - 1) * (0.5 + Math.random() / 2));
          tries += 1;
          continue;
        }
        const refusal = storageRefusal(error, this.#parts.connections.name);
        for (const { reject } of taken.length > 0 ? taken : line.waiting.splice(0)) reject(refusal);
        return;
      }
    }
  }

  /** One try of a group: those that were taken before, and whoever came meanwhile. Returns how to answer them. */
  async #attempt(session: Session, line: Line, taken: Waiting[]): Promise<() => void> {
    const group = new Group(session, line);
    const { clock } = this.#parts;
    try {
      await group.begin(clock && (() => clock.now()));
      const base = { seq: group.head.seq, revisions: line.revisions() };
      const answers: (() => void)[] = [];
      const until = performance.now() + GROUP_TIME;
      for (let i = 0; ; i += 1) {
        if (i === taken.length) {
          const next = i < GROUP_SIZE && performance.now() < until ? line.waiting.shift() : undefined;
          if (!next) break;
          taken.push(next);
        }
        answers.push(await this.#runOne(session, group, line, taken[i] as Waiting));
      }
      if (group.wrote) await this.#commit(session, group);
      else await session.ask('ROLLBACK');
      const { head, numbers } = group;
      if (!group.wrote) line.abandoned();
      else line.committed(head.seq, numbers);
      return () => {
        for (const answer of answers) answer();
        if (group.wrote) this.#parts.committed(line.workspace, base, group, line.revisions());
      };
    } catch (error) {
      line.abandoned();
      throw error;
    }
  }

  async #runOne(session: Session, group: Group, line: Line, waiting: Waiting): Promise<() => void> {
    const { newId, engine } = this.#parts;
    const tx = new PostgresTx({ session, group, line, waiting, newId, engine });
    try {
      const value = await tx.runAlone(() => waiting.work(tx));
      if (group.spoilt) throw group.spoilt;
      return () => waiting.resolve(value);
    } catch (error) {
      if (error instanceof Repeat || isPassing(error)) throw error;
      return () => waiting.reject(error);
    }
  }

  async #commit(session: Session, group: Group): Promise<void> {
    await group.finish();
    try {
      const { command } = await session.ask('COMMIT');
      if (command !== 'COMMIT') throw new Error(`the database answered ${command} to COMMIT`);
    } catch (error) {
      if (!isLost(error)) throw error;
      if (!(await this.#tookPlace(group.xact))) throw error;
    }
  }

  /** Whether a transaction took place whose answer was lost. @throws Refusal `unavailable` when nobody can tell in time. */
  async #tookPlace(xact: string): Promise<boolean> {
    const until = performance.now() + this.#parts.patience;
    for (let tries = 0; performance.now() < until; tries += 1) {
      try {
        const { rows } = await this.#parts.looking.with((session) => session.ask(OUTCOME, [xact]));
        const status = (rows as { status: string | null }[])[0]?.status;
        if (status === 'committed' || status === 'aborted') return status === 'committed';
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await setTimeout(WAIT * 2 ** Math.min(tries, 3));
    }
    throw new Refusal(
      'unavailable',
      'The database went away while it was written: it is not known whether this took place. Repeat it with the same key.',
      { retryAfter: 1_000 },
    );
  }
}
