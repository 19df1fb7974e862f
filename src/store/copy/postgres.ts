import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { SECOND } from '../../domain/clock.ts';
import { Refusal } from '../../domain/errors.ts';
import { GENESIS } from '../../domain/journal.ts';
import type { Cell } from '../codec.ts';
import { nameOf } from '../postgres/address.ts';
import { clientConfig, connect, disconnect } from '../postgres/client.ts';
import { migrate, presentSchema, schemaOf } from '../postgres/migrate.ts';
import { storageRefusal } from '../postgres/storage-errors.ts';
import type { Head, Source, Target } from './ends.ts';
import {
  BATCH_CHARACTERS,
  BATCH_ROWS,
  charactersOf,
  columnList,
  type Cells,
  type PlainTable,
} from './plain.ts';

/** Milliseconds to wait for a connection, and for the locks of others. */
const PATIENCE = 10 * SECOND;
/** Milliseconds that one batch may take. */
const LONGEST = 60 * SECOND;
/** What servers and workers are known by to the database; those that have just ended may be seen for a moment yet. */
const OTHERS = `SELECT count(*) FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'signalbox' AND pid <> pg_backend_pid()`;
const LOOKS = 20;
const LOOK_EVERY = 100;

/** Within one transaction of a connection of its own. Any role will do that may read or write the tables. */
class PostgresDatabase implements Source {
  readonly name: string;
  readonly schema: number;
  readonly #client: pg.Client;
  #workspace = '';

  constructor(name: string, client: pg.Client, schema: number) {
    this.name = name;
    this.#client = client;
    this.schema = schema;
  }

  async now(): Promise<Date> {
    const [row] = await this.ask('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint');
    return new Date(Number(row?.[0]));
  }

  async workspaces(): Promise<string[]> {
    return (await this.ask('SELECT name FROM workspaces ORDER BY name')).map(([name]) => String(name));
  }

  /** Through a cursor: as many rows at a time as make up a batch, judged by those before. */
  async *rows(table: PlainTable, workspace: string): AsyncIterable<readonly Cells[]> {
    await this.enter(workspace);
    const sql = `SELECT ${columnList(table)} FROM "${table.name}" WHERE workspace = $1 ORDER BY "${table.order}"`;
    await this.ask(`DECLARE copied NO SCROLL CURSOR FOR ${sql}`, [workspace]);
    for (let most = 10; ; ) {
      const rows = await this.ask(`FETCH ${most} FROM copied`);
      if (rows.length > 0) yield rows;
      if (rows.length < most) break;
      const each = rows.reduce((sum, row) => sum + charactersOf(row), 1) / rows.length;
      most = Math.max(1, Math.min(BATCH_ROWS, Math.floor(BATCH_CHARACTERS / each)));
    }
    await this.ask('CLOSE copied');
  }

  async count(table: PlainTable, workspace: string, states?: readonly string[]): Promise<number> {
    await this.enter(workspace);
    const among = states ? ' AND state = ANY ($2)' : '';
    const sql = `SELECT count(*) FROM "${table.name}" WHERE workspace = $1${among}`;
    const [row] = await this.ask(sql, states ? [workspace, states] : [workspace]);
    return Number(row?.[0]);
  }

  /** Whatever is not committed is undone by the server. */
  async close(): Promise<void> {
    await disconnect(this.#client);
  }

  /** Row-level security shows and takes the rows of this workspace only. */
  protected async enter(workspace: string): Promise<void> {
    if (workspace === this.#workspace) return;
    await this.ask(`SELECT set_config('signalbox.workspace', $1, true)`, [workspace]);
    this.#workspace = workspace;
  }

  /** @throws Refusal in words for the operator. */
  protected async ask(text: string, values: readonly unknown[] = []): Promise<Cell[][]> {
    try {
      return (await this.#client.query<Cell[]>({ text, values: [...values], rowMode: 'array' })).rows;
    } catch (error) {
      throw storageRefusal(error, this.name);
    }
  }
}

class PostgresTarget extends PostgresDatabase implements Target {
  async open(workspace: string, head: Head | undefined): Promise<void> {
    await this.enter(workspace);
    await this.ask('INSERT INTO workspaces (name) VALUES ($1)', [workspace]);
    const { seq, hash } = head ?? { seq: 0, hash: GENESIS };
    const end = [workspace, seq, hash];
    await this.ask(`INSERT INTO chains (workspace, seq, hash, revisions) VALUES ($1, $2, $3, '{}')`, end);
  }

  async insert(table: PlainTable, rows: readonly Cells[]): Promise<void> {
    const arrays = table.columns.map((_, i) => rows.map((row) => row[i] ?? null));
    const types = table.columns.map(({ type }, i) => `$${i + 1}::${type === 'int' ? 'bigint' : 'text'}[]`);
    if (arrays.some((cells) => cells.some((cell) => typeof cell === 'string' && cell.includes('\0'))))
      throw new Refusal(
        'conflict',
        `A row of ${table.name} holds the character NUL, which PostgreSQL cannot keep: change it first.`,
      );
    const columns = columnList(table);
    await this.ask(
      `INSERT INTO "${table.name}" (${columns}) SELECT * FROM unnest(${types.join(', ')})`,
      arrays,
    );
  }

  async commit(): Promise<void> {
    await this.ask('COMMIT');
  }
}

/** Runs what opens a database on a new connection, which ends if that fails. */
async function opening<T>(url: string, open: (client: pg.Client, name: string) => Promise<T>): Promise<T> {
  const name = nameOf(url);
  let client: pg.Client | undefined;
  try {
    const config = clientConfig({ url, lockTimeout: PATIENCE, answerWithin: LONGEST });
    client = await connect({ ...config, application_name: 'signalbox copy' });
    return await open(client, name);
  } catch (error) {
    if (client) await disconnect(client);
    throw storageRefusal(error, name);
  }
}

/** @throws Refusal `conflict` while anybody serves this database. */
async function refuseConnected(client: pg.Client, name: string): Promise<void> {
  for (let looks = 1; ; looks += 1) {
    const { rows } = await client.query<{ count: number }>(OTHERS);
    const n = rows[0]?.count ?? 0;
    if (n === 0) return;
    if (looks === LOOKS)
      throw new Refusal(
        'conflict',
        `A server or worker is running on ${name} (it has ${n} ${n === 1 ? 'connection' : 'connections'} of ` +
          'Signalbox): stop it first.',
      );
    await setTimeout(LOOK_EVERY);
  }
}

/**
 * Opens a database for reading one state of it. `alone`: nobody else may write until it is closed.
 * @throws Refusal `unavailable` when it cannot be reached or is none of ours.
 */
export async function openPostgresSource(url: string, alone: boolean): Promise<Source> {
  return opening(url, async (client, name) => {
    if (alone) await refuseConnected(client, name);
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ${alone ? '' : ' READ ONLY'}`);
    // Whoever writes locks a row of it first. The snapshot is taken after the lock, by the first read.
    if (alone) await client.query('LOCK TABLE chains IN EXCLUSIVE MODE');
    return new PostgresDatabase(name, client, await schemaOf({ ask: (text) => client.query(text) }));
  });
}

/**
 * Brings a database to this version's schema, as its owner, and opens it for filling.
 * @throws Refusal `conflict` when there is something in it.
 */
export async function openPostgresTarget(url: string, owner: string | undefined): Promise<Target> {
  // One that was named by mistake is not brought to this version, either.
  if ((await presentSchema(url)) > 0)
    await opening(url, async (client, name) => {
      await refuseFilled(client, name);
      await disconnect(client);
    });
  await migrate(url, owner);
  return opening(url, async (client, name) => {
    await client.query('BEGIN');
    // A server that starts on it meanwhile waits, and finds what was copied.
    await client.query('LOCK TABLE chains IN EXCLUSIVE MODE');
    await refuseFilled(client, name);
    return new PostgresTarget(name, client, await schemaOf({ ask: (text) => client.query(text) }));
  });
}

async function refuseFilled(client: pg.Client, name: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM workspaces LIMIT 1');
  if (rowCount) throw new Refusal('conflict', `${name} is not empty: copy into a new database.`);
}
