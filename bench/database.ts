import { hash as digestOf } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { newId, newSalt } from '../src/core/ids.ts';
import { migrate } from '../src/store/sqlite/migrate.ts';
import { answerQuestions, cpuSeconds } from './child.ts';

/** Raw better-sqlite3: the rows of one `task create`, prepared, on disk before the next. */
export interface DatabaseQuestion {
  readonly folder: string;
  /** Commands that share one transaction and its fsync. */
  readonly group: number;
  readonly seconds: number;
}

export interface DatabaseAnswer {
  readonly perSecond: number;
  /** CPU microseconds of one command. */
  readonly cpu: number;
}

answerQuestions(async ({ folder, group, seconds }: DatabaseQuestion): Promise<DatabaseAnswer> => {
  const db = new Database(join(folder, `raw-${group}.db`));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('temp_store = MEMORY');
  migrate(db);
  const create = creation(db);
  const all = db.transaction((from: number) => {
    for (let i = 0; i < group; i += 1) create(from + i);
  });
  let n = 0;
  const cpu = cpuSeconds();
  const began = performance.now();
  while (performance.now() < began + seconds * 1_000) {
    all.immediate(n);
    n += group;
  }
  const elapsed = (performance.now() - began) / 1_000;
  const used = cpuSeconds() - cpu;
  db.close();
  return { perSecond: n / elapsed, cpu: (used / n) * 1e6 };
});

/** What one command reads and writes: the receipt, the counter, the task, two chained journal entries. */
function creation(db: Database.Database): (n: number) => void {
  const seen = db.prepare("SELECT * FROM receipts WHERE workspace = 'main' AND id = ?");
  const counter = db.prepare(
    `INSERT INTO counters VALUES ('main', 'TSK', 1)
     ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value`,
  );
  const task = db.prepare(
    `INSERT INTO tasks VALUES ('main', ?, 1, ?, 'Fix login', '', 'queued', NULL, NULL, 'P1', NULL,
     '[]', '[]', NULL, 'admin', 1, 1, 0)`,
  );
  const entry = db.prepare(
    `INSERT INTO journal VALUES ('main', ?, ?, 1, 1, ?, 'admin', ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const receipt = db.prepare("INSERT INTO receipts VALUES ('main', ?, 1, ?, ?, ?)");
  let previous = '0'.repeat(64);
  return (n) => {
    const message = newId();
    const key = digestOf('sha256', String(n));
    seen.get(key);
    const { value } = counter.get() as { value: number };
    const ref = `TSK-${value}`;
    task.run(newId(), ref);
    const entries = [
      ['command.accepted', 'task.create'],
      ['task.created', ref],
    ] as const;
    for (const [i, [event, target]] of entries.entries()) {
      const salt = newSalt();
      const commitment = digestOf('sha256', salt + DETAILS);
      const hash = digestOf('sha256', previous + commitment);
      entry.run(
        2 * n + i,
        newId(),
        event,
        target,
        message,
        message,
        DETAILS,
        salt,
        commitment,
        previous,
        hash,
      );
      previous = hash;
    }
    receipt.run(key, key, ANSWER, n);
  };
}

/** As long as the real ones. */
const DETAILS = JSON.stringify({ args: { title: 'Fix login' }, filler: 'x'.repeat(60) });
const ANSWER = JSON.stringify({ status: 'ok', reply: { text: 'Opened', filler: 'x'.repeat(480) } });
