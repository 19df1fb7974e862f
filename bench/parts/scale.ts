import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import { Child } from '../child.ts';
import type { LoadJob } from '../load.ts';
import type { Measured } from '../load/measure.ts';
import type { Options } from '../options.ts';
import { Server, temporaryFolder, TOKEN } from '../server.ts';
import { median } from '../stats.ts';

const SMALL = 1_000;
/** What people work on, however many tasks there are. */
const NEWEST = 500;
export const VERBS = ['create', 'show', 'move', 'move any', 'list'] as const;
export type Verb = (typeof VERBS)[number];

export interface Scale {
  readonly small: number;
  readonly large: number;
  readonly verbs: Readonly<Record<Verb, { small: Measured; large: Measured; throughput: number }>>;
}

const MOVE = '"command":"task.move","args":{"id":"TSK-$task","to":"$state"}';

/**
 * The same commands on a database with a thousand tasks and on one with a million, in turns. `move` works on the newest
 * 500; `move any` on all others alike, so that hardly two of a million share a page of the database.
 */
export async function scale(options: Options): Promise<Scale> {
  const small = await Sized.start(SMALL);
  const large = await Sized.start(options.tasks);
  const load = new Child<LoadJob, Measured>(new URL('../load.ts', import.meta.url));
  try {
    const measured: [Verb, Scale['verbs'][Verb]][] = [];
    for (const verb of VERBS) measured.push([verb, await inTurns(options, load, verb, small, large)]);
    const verbs = Object.fromEntries(measured) as Scale['verbs'];
    return { small: SMALL, large: options.tasks, verbs };
  } finally {
    load.stop();
    await Promise.all([small.stop(), large.stop()]);
  }
}

async function inTurns(
  { rounds, seconds }: Options,
  load: Child<LoadJob, Measured>,
  verb: Verb,
  small: Sized,
  large: Sized,
): Promise<Scale['verbs'][Verb]> {
  const pairs: { small: Measured; large: Measured }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const first = await small.measure(load, verb, seconds);
    pairs.push({ small: first, large: await large.measure(load, verb, seconds) });
  }
  const middle = (of: 'small' | 'large'): Measured => ({
    perSecond: median(pairs.map((pair) => pair[of].perSecond)),
    p50: median(pairs.map((pair) => pair[of].p50)),
    p99: median(pairs.map((pair) => pair[of].p99)),
    work: median(pairs.map((pair) => pair[of].work)),
  });
  const throughput = median(pairs.map((pair) => pair.large.perSecond / pair.small.perSecond));
  return { small: middle('small'), large: middle('large'), throughput };
}

/** A server on a database that has this many tasks. */
class Sized {
  readonly #tasks: number;
  readonly #folder: string;
  readonly #server: Server;
  /** Requests sent so far, per verb: a move goes on where the last round ended. */
  readonly #sent = new Map<Verb, number>();

  private constructor(tasks: number, folder: string, server: Server) {
    this.#tasks = tasks;
    this.#folder = folder;
    this.#server = server;
  }

  static async start(tasks: number): Promise<Sized> {
    const folder = temporaryFolder();
    fill(join(folder, 'signalbox.db'), tasks);
    return new Sized(tasks, folder, await Server.start({ folder }));
  }

  async measure(load: Child<LoadJob, Measured>, verb: Verb, seconds: number): Promise<Measured> {
    const first = this.#sent.get(verb) ?? 0;
    const measured = await load.ask(this.#job(verb, first, seconds));
    this.#sent.set(verb, first + measured.work);
    return measured;
  }

  #job(verb: Verb, first: number, seconds: number): LoadJob {
    const command = {
      create: '"command":"task.create","args":{"title":"Fix login"}',
      show: '"command":"task.show","args":{"id":"TSK-$task"}',
      move: MOVE,
      'move any': MOVE,
      list: '"command":"task.list","args":{"state":"queued"}',
    }[verb];
    return {
      kind: 'http',
      port: this.#server.port,
      path: '/v1/commands',
      headers: { Authorization: `Bearer ${TOKEN}` },
      body: `{${command}}`,
      connections: 8,
      seconds,
      first,
      tasks:
        verb === 'move'
          ? { from: this.#tasks - NEWEST + 1, span: NEWEST }
          : { from: 1, span: this.#tasks - NEWEST },
    };
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Tasks by direct insert, ids rising as UUIDv7 do, a third of them in each priority. */
function fill(path: string, tasks: number): void {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  migrate(db);
  db.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO tasks SELECT 'main', printf('018f0000-%04x-7%03x-8000-%012x', i / 4096, i % 4096, i), 1,
       'TSK-' || i, 'Task number ' || i, '', 'queued', NULL, NULL, 'P' || (i % 3), NULL, '[]', '[]', NULL,
       'admin', 1700000000000 + i, 1700000000000 + i, 0 FROM n`,
  ).run(tasks);
  db.prepare("INSERT INTO counters VALUES ('main', 'TSK', ?)").run(tasks);
  db.close();
}
