import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { inject } from 'vitest';
import type { Clock } from '../../src/domain/clock.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';
import { openPostgres, type PostgresStore } from '../../src/store/postgres/store.ts';

/** A database of its own on the run's PostgreSQL server. */
export interface TestDatabase {
  /** Its address, as a superuser. */
  readonly url: string;
  /** The same as the role that it names. */
  as(user: string, password: string): string;
  /** Runs SQL as a superuser, past every policy. */
  sql<T = Record<string, unknown>>(statement: string, values?: readonly unknown[]): Promise<T[]>;
  /** Gives it back, without whoever is still connected. */
  drop(): Promise<void>;
}

const TEMPLATE = 'signalbox_template';
const LOCK = 42;
/** Those that were given back: emptying one costs a tenth of what making one does. */
const free: { database: TestDatabase; admin: Admin }[] = [];

/** A superuser's connection that is kept between tests: to make one takes longer than to empty a database. */
class Admin {
  readonly #url: string;
  #client: Promise<pg.Client> | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  async ask(statement: string, values: unknown[] = []): Promise<void> {
    const client = await (this.#client ??= this.#connect());
    await client.query(statement, values);
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#url });
    client.on('error', () => (this.#client = undefined));
    await client.connect();
    // Its types leave it out: no process stays for this one.
    (client as pg.Client & { unref(): void }).unref();
    return client;
  }
}

/** The address of the run's PostgreSQL server. */
async function postgresServer(): Promise<string> {
  const address = await text(connect(inject('postgresDoor'), '127.0.0.1'));
  if (!address.startsWith('postgres://')) throw new Error(`PostgreSQL did not start: ${address}`);
  return address;
}

/** A database with this version's schema and no rows; `empty`: without any schema, and for nobody else afterwards. */
export async function createDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const given = empty ? undefined : free.pop();
  if (given) {
    await given.admin.ask(CLEAR);
    return given.database;
  }
  const server = await postgresServer();
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`;
  await asked(server, async (client) => {
    await client.query(`SELECT pg_advisory_lock(${LOCK})`);
    if (!empty) await ensureTemplate(client, server);
    await client.query(`CREATE DATABASE ${name}${empty ? '' : ` TEMPLATE ${TEMPLATE}`}`);
  });
  const url = at(server, name);
  const admin = new Admin(url);
  const sql: TestDatabase['sql'] = (statement, values = []) =>
    asked(url, async (client) => (await client.query(statement, [...values])).rows as never[]);
  const database: TestDatabase = {
    url,
    as: (user, password) => Object.assign(new URL(url), { username: user, password }).href,
    sql,
    async drop() {
      if (empty) await asked(server, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
      else {
        await admin.ask(OTHERS_AWAY, [name]);
        free.push({ database, admin });
      }
    },
  };
  return database;
}

/** A store on a database of its own, which is given back when the store is closed. */
export async function openTestPostgres(_path: string, clock: Clock): Promise<PostgresStore> {
  const database = await createDatabase();
  const store = await openPostgres({ url: database.url, clock });
  const close = store.close.bind(store);
  return Object.assign(store, {
    async close() {
      await close();
      await database.drop();
    },
  });
}

/** Has the job engine go by the clock of the store, where that was given one. */
const ENGINE_CLOCK = `
  CREATE OR REPLACE FUNCTION pgboss.job_now() RETURNS timestamp with time zone LANGUAGE sql STABLE AS $$
    SELECT coalesce(to_timestamp(nullif(current_setting('signalbox.now', true), '')::float8 / 1000), pg_catalog.now())
  $$`;

const OTHERS_AWAY =
  'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()';

/** Deletes all rows but the schema's number and what the job engine was set up with, past triggers and policies. */
const CLEAR = `DO $$
  DECLARE found record;
  BEGIN
    SET LOCAL session_replication_role = replica;
    FOR found IN
      SELECT schemaname, relname FROM pg_stat_user_tables
      WHERE schemaname = 'public' AND relname <> 'schema_version' OR schemaname = 'pgboss' AND relname LIKE 'job%'
    LOOP
      EXECUTE format('DELETE FROM %I.%I', found.schemaname, found.relname);
    END LOOP;
  END $$`;

/** Made once a run. */
async function ensureTemplate(client: pg.Client, server: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [TEMPLATE]);
  if (rowCount) return;
  await client.query('DROP DATABASE IF EXISTS signalbox_making WITH (FORCE)');
  await client.query('CREATE DATABASE signalbox_making');
  await migrate(at(server, 'signalbox_making'), undefined);
  await asked(at(server, 'signalbox_making'), (making) => making.query(ENGINE_CLOCK));
  await client.query(`ALTER DATABASE signalbox_making RENAME TO ${TEMPLATE}`);
}

const at = (server: string, database: string): string =>
  Object.assign(new URL(server), { pathname: `/${database}` }).href;

async function asked<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
