import pg from 'pg';
import { Refusal } from '../../domain/errors.ts';
import { protection, refuseNewer, shipped } from '../migrations.ts';
import { nameOf } from './address.ts';
import { APP_ROLE, clientConfig, connect, disconnect, serverConfig } from './client.ts';
import { ENGINE_GRANTS, installEngine } from './engine.ts';
import { storageRefusal } from './storage-errors.ts';

/** Any number, as long as it is always the same: two processes that migrate at once take turns. */
const LOCK = 7_316_002_114;
const LOCK_TIMEOUT = 60_000;
/** Milliseconds to wait for a connection and for the answer to a question that is answered at once. */
const PATIENCE = 5_000;

/** Which database it is, whatever its address says. */
const PLACE = 'SELECT current_database() AS name, pg_postmaster_start_time()::text AS since';

/** Whoever can be asked for rows. */
interface Asked {
  ask(text: string): Promise<{ rows: unknown[] }>;
}

/** The number of the newest migration that was applied; 0 for an empty database. */
export async function schemaOf(asked: Asked): Promise<number> {
  const { rows: known } = await asked.ask(`SELECT to_regclass('schema_version') IS NOT NULL AS known`);
  if (!(known as { known: boolean }[])[0]?.known) return 0;
  const { rows } = await asked.ask('SELECT coalesce(max(number), 0)::int AS number FROM schema_version');
  return (rows as { number: number }[])[0]?.number ?? 0;
}

/**
 * Brings the database to the newest numbered migration, all in one transaction, as its owner; where it has that already,
 * nothing is asked of the owner. Returns the numbers that were applied.
 * @throws Refusal `unavailable` when the database is newer than this program, cannot be reached, or may not be changed;
 * when the owner's address is another database's, which is not touched.
 */
export async function migrate(url: string, owner: string | undefined): Promise<number[]> {
  const newest = shipped('postgres').at(-1)?.number ?? 0;
  const present = await presentSchema(url);
  refuseNewer(present, newest);
  if (present === newest) return [];
  if (owner !== undefined) await refuseElsewhere(url, owner);
  try {
    const config = clientConfig({ url: owner ?? url, lockTimeout: PATIENCE });
    return await connected(config, (client) => apply(client, newest, url));
  } catch (error) {
    const code = error instanceof pg.DatabaseError ? error.code : undefined;
    if (code !== '42501' && code !== '42704') throw storageRefusal(error, nameOf(owner ?? url));
    const who =
      owner === undefined
        ? 'the role may not change it: run `signalbox migrate` with SIGNALBOX_DB_OWNER set to its owner’s address.'
        : `the role of SIGNALBOX_DB_OWNER may not change it (${(error as Error).message}): make it the owner of this ` +
          'database with examples/postgres/roles.sql.';
    throw new Refusal(
      'unavailable',
      `The database ${nameOf(url)} has schema ${present}, this version needs ${newest}, and ${who}`,
      { cause: error },
    );
  }
}

/** One that moves or restores names a new database, and may have left the owner's address as it was. @throws Refusal */
async function refuseElsewhere(url: string, owner: string): Promise<void> {
  const [here, there] = await Promise.all([placeOf(url), placeOf(owner)]);
  if (here === there) return;
  throw new Refusal(
    'unavailable',
    `SIGNALBOX_DB_OWNER is the address of another database, ${nameOf(owner)}, and not of ${nameOf(url)}: ` +
      'set it to the same one. Nothing was changed.',
  );
}

async function placeOf(url: string): Promise<string> {
  try {
    const config = clientConfig({ url, lockTimeout: PATIENCE, answerWithin: PATIENCE });
    return JSON.stringify((await connected(config, (client) => client.query(PLACE))).rows);
  } catch (error) {
    throw storageRefusal(error, nameOf(url));
  }
}

/** As a server sees it; 0 where even the role of servers is missing. */
export async function presentSchema(url: string): Promise<number> {
  const config = serverConfig({ url, lockTimeout: PATIENCE, answerWithin: PATIENCE });
  try {
    return await connected(config, (client) => schemaOf({ ask: (text) => client.query(text) }));
  } catch (error) {
    const lacking =
      error instanceof pg.DatabaseError && ['22023', '42501', '42704'].includes(error.code ?? '');
    if (lacking) return 0;
    throw storageRefusal(error, nameOf(url));
  }
}

async function apply(client: pg.Client, newest: number, url: string): Promise<number[]> {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT}; SELECT pg_advisory_lock(${LOCK})`);
  await installEngine(client);
  await client.query('BEGIN');
  await client.query('CREATE TABLE IF NOT EXISTS schema_version (number bigint PRIMARY KEY)');
  const present = await schemaOf({ ask: (text) => client.query(text) });
  refuseNewer(present, newest);
  const due = shipped('postgres').filter((m) => m.number > present);
  for (const { sql, number } of due) {
    await client.query(sql);
    await client.query('INSERT INTO schema_version (number) VALUES ($1)', [number]);
  }
  await client.query(protection());
  // The servers' own login, where it is another one than the owner.
  const login = decodeURIComponent(new URL(url).username);
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1 AND NOT rolsuper', [
    login,
  ]);
  if (rowCount) await client.query(`GRANT ${APP_ROLE} TO ${client.escapeIdentifier(login)}`);
  await client.query(ENGINE_GRANTS);
  await client.query('COMMIT');
  return due.map((m) => m.number);
}

async function connected<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(config);
  try {
    return await work(client);
  } finally {
    await disconnect(client);
  }
}
