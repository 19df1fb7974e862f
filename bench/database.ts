import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { migrate } from '../src/store/migrate.ts';
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

/** What one command reads and writes: sender, receipt, counter, task, two linked journal entries, receipt. */
function creation(db: Database.Database): (n: number) => void {
  const key = db.prepare("SELECT * FROM keys WHERE workspace = 'main' AND id = ?");
  const person = db.prepare("SELECT * FROM principals WHERE workspace = 'main' AND name = ?");
  const roles = db.prepare("SELECT * FROM roles WHERE workspace = 'main' AND name = ?");
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
    `INSERT INTO journal VALUES ('main', ?, ?, 1, 1, 'task.created', 'admin', 'TSK', 'c', 'c', ?, 's', ?, ?, ?)`,
  );
  const receipt = db.prepare("INSERT INTO receipts VALUES ('main', ?, 1, ?, ?, 1)");
  const details = JSON.stringify({ args: { title: 'Fix login', priority: 'P1' }, channel: 'rest' });
  const answer = JSON.stringify({ id: randomUUID(), status: 'ok', reply: { text: details.repeat(4) } });
  let hash = '';
  return (n) => {
    key.get('k');
    person.get('admin');
    roles.get('admin');
    const digest = createHash('sha256').update(String(n)).digest('hex');
    seen.get(digest);
    const { value } = counter.get() as { value: number };
    task.run(randomUUID(), `TSK-${value}`);
    for (const seq of [2 * n, 2 * n + 1]) {
      const next = createHash('sha256').update(hash).update(details).digest('hex');
      entry.run(seq, randomUUID(), details, next, hash, next);
      hash = next;
    }
    receipt.run(digest, digest, answer);
  };
}
