import type { Socket } from 'node:net';
import pg from 'pg';
import { SECOND } from '../../domain/clock.ts';
import { unreachable } from './storage-errors.ts';

/** What servers act as: neither owner nor superuser, so that row-level security holds for them. */
export const APP_ROLE = 'signalbox_app';

const INT8 = 20;
/** What does not answer a goodbye by then is cut, in milliseconds. */
const GOODBYE = SECOND;

export interface ClientOptions {
  readonly url: string;
  /** Milliseconds to wait for a connection, and for another process's lock. */
  readonly lockTimeout: number;
  /** Milliseconds to wait for an answer before the connection counts as lost; for ever unless told. */
  readonly answerWithin?: number;
}

/** How everything of ours connects. Of a far side that is gone, the system tells within half a minute. */
export function clientConfig({ url, lockTimeout, answerWithin }: ClientOptions): pg.ClientConfig {
  return {
    connectionString: strict(url).href,
    application_name: 'signalbox',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10 * SECOND,
    connectionTimeoutMillis: lockTimeout,
    lock_timeout: lockTimeout,
    query_timeout: answerWithin,
    types: {
      getTypeParser: ((oid: number, format: 'text') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  };
}

/** How servers and workers connect. Plans are made for large workspaces, as the tables are small only once. */
export function serverConfig(options: ClientOptions): pg.ClientConfig {
  const address = new URL(options.url);
  // What the address asks for comes first, so that it cannot change the role.
  const asked = address.searchParams.get('options') ?? '';
  address.searchParams.delete('options');
  return {
    ...clientConfig({ ...options, url: address.href }),
    options: `${asked} -c role=${APP_ROLE} -c jit=off -c enable_seqscan=off`.trimStart(),
    pipeline: true,
    statement_timeout: 10 * SECOND,
    idle_in_transaction_session_timeout: 10 * SECOND,
  };
}

/** Of these modes the driver makes verify-full, and warns that a later version will not: with us it stays so. */
function strict(url: string): URL {
  const address = new URL(url);
  const { searchParams } = address;
  const mode = searchParams.get('sslmode') ?? '';
  if (['prefer', 'require', 'verify-ca'].includes(mode) && !searchParams.has('uselibpqcompat'))
    searchParams.set('sslmode', 'verify-full');
  return address;
}

/** A connection that no pool keeps; to be given to `disconnect`. @throws Unreachable, or what the database says. */
export async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  let client: pg.Client | undefined;
  try {
    client = new pg.Client(config);
    // What is lost while nothing is asked is met by the next question.
    client.on('error', () => undefined);
    await client.connect();
    return client;
  } catch (error) {
    if (client) socketOf(client).destroy();
    throw unreachable(error);
  }
}

/** Says goodbye after what is under way; cuts the connection where that is not answered. */
export async function disconnect(client: pg.Client): Promise<void> {
  await leaving([client], client.end());
}

/** Waits until those clients have ended, and sees to it that they do. */
export async function leaving(clients: readonly pg.ClientBase[], ended: Promise<unknown>): Promise<void> {
  const cut = setTimeout(() => {
    for (const client of clients) socketOf(client).destroy();
  }, GOODBYE);
  await ended.catch(() => undefined);
  clearTimeout(cut);
}

export const socketOf = (client: pg.ClientBase): Socket =>
  (client as unknown as { connection: { stream: Socket } }).connection.stream;
