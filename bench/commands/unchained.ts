import { hash as digestOf } from 'node:crypto';
import pg from 'pg';
import { newId, newSalt } from '../../src/core/ids.ts';
import { serverConfig } from '../../src/store/postgres/client.ts';
import { migrate } from '../../src/store/postgres/migrate.ts';

/** As long as the real ones. */
const DETAILS = JSON.stringify({ args: { title: 'Fix login' }, filler: 'x'.repeat(60) });
const ANSWER = JSON.stringify({ status: 'ok', reply: { text: 'Opened', filler: 'x'.repeat(480) } });

const statement = (name: string, text: string) => ({ name, text });
const BEGIN = statement('begin', 'BEGIN');
const ENTER = statement('enter', `SELECT set_config('signalbox.workspace', 'main', true)`);
const SEEN = statement('seen', `SELECT answer FROM receipts WHERE workspace = 'main' AND id = $1`);
const TASK = statement(
  'task',
  `INSERT INTO tasks (workspace, id, version, ref, title, description, state, priority, labels, checklist, created_by,
     created_at, updated_at, archived)
   VALUES ('main', $1, 1, 'TSK-' || nextval('bench_tasks'), 'Fix login', '', 'queued', 'P1', '[]', '[]', 'ana', 1, 1, 0)`,
);
const ENTRY = statement(
  'entry',
  `INSERT INTO journal (workspace, seq, id, version, at, event, actor, target, correlation_id, cause, details, salt,
     commitment, previous, hash)
   VALUES ('main', nextval('bench_journal'), $1, 1, 1, $2, 'ana', 'TSK', $3, $3, $4, $5, $6, $6, $6)`,
);
const RECEIPT = statement(
  'receipt',
  `INSERT INTO receipts (workspace, id, version, digest, answer, expires_at) VALUES ('main', $1, 1, $1, $2, 1)`,
);
const COMMIT = statement('commit', 'COMMIT');

/**
 * The rows of one `task create` on the same tables, as the same role, prepared and pipelined, one transaction for each
 * command on a connection of its caller's. Numbers come from sequences, so nothing waits for anything but the disk.
 */
export async function openUnchained(url: string, callers: number) {
  await migrate(url, undefined);
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  for (const name of ['bench_tasks', 'bench_journal'])
    await admin.query(
      `CREATE SEQUENCE IF NOT EXISTS ${name} CACHE 100; GRANT USAGE ON SEQUENCE ${name} TO PUBLIC`,
    );
  await admin.end();
  const pool = new pg.Pool({ ...serverConfig({ url, lockTimeout: 5_000 }), max: callers });
  return {
    create: async (key: string) => {
      const client = await pool.connect();
      try {
        await command(client, key);
      } finally {
        client.release();
      }
    },
    close: () => pool.end(),
  };
}

async function command(client: pg.PoolClient, key: string): Promise<void> {
  const id = digestOf('sha256', key);
  const message = newId();
  const begun = [client.query(BEGIN), client.query(ENTER)];
  const { rowCount } = await client.query({ ...SEEN, values: [id] });
  if (rowCount) throw new Error('seen before');
  const entries = ['command.accepted', 'task.created'].map((event) => {
    const salt = newSalt();
    const commitment = digestOf('sha256', salt + DETAILS);
    return client.query({ ...ENTRY, values: [newId(), event, message, DETAILS, salt, commitment] });
  });
  await Promise.all([
    ...begun,
    ...entries,
    client.query({ ...TASK, values: [newId()] }),
    client.query({ ...RECEIPT, values: [id, ANSWER] }),
    client.query(COMMIT),
  ]);
}
