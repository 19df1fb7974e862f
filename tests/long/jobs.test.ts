import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { queueJob } from '../../src/core/jobs/queueing.ts';
import { SECOND } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import { JobProcesses } from '../contract/job-processes.ts';
import { openAny } from '../contract/job-program.ts';
import { newJob } from '../support/job.ts';
import { createDatabase } from '../support/postgres.ts';
import { SHORT } from './server.ts';

const JOBS = SHORT ? 1_000 : 10_000;
const KILLS = SHORT ? 6 : 60;
const WORKERS = 4;
/** Above what a busy machine makes a process wait, or it would lose claims that nobody killed. */
const LEASE = 5 * SECOND;

const databases = [
  ['SQLite', async (folder: string) => ({ database: join(folder, 'jobs.db'), drop: async () => undefined })],
  [
    'PostgreSQL',
    async () => {
      const database = await createDatabase();
      return { database: database.url, drop: () => database.drop() };
    },
  ],
] as const;

test.each(databases)(
  `${JOBS} jobs on %s while one of ${WORKERS} workers is killed ${KILLS} times: none lost, none twice`,
  async (_name, create) => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-test-'));
    const { database, drop } = await create(folder);
    const store = await openAny(database);
    const workers = new JobProcesses(database, folder);
    onTestFinished(async () => {
      await workers.killAll();
      await store.close();
      await drop();
      rmSync(folder, { recursive: true, force: true });
    });
    for (let n = 0; n < WORKERS; n += 1) await workers.start(`w${n}`, LEASE);
    const succeeded = () => store.read('main', (tx) => tx.count(jobs, { state: 'succeeded' }));
    for (let n = 0; n < KILLS; n += 1) {
      await store.transaction('main', async (tx) => {
        // A killed worker uses up a try of what it runs: there are enough for all of them.
        const many = Array.from({ length: Math.ceil(JOBS / KILLS) }, () =>
          newJob(tx, { maxAttempts: KILLS + 1 }),
        );
        for (const row of many) await queueJob(tx, await tx.insert(jobs, row), {});
      });
      await delay(Math.random() * SECOND);
      await workers.kill(`w${n % WORKERS}`);
      await workers.start(`w${n % WORKERS}`, LEASE);
    }
    const all = await store.read('main', (tx) => tx.count(jobs));
    await vi.waitFor(async () => expect(await succeeded()).toBe(all), {
      interval: 200,
      timeout: 300 * SECOND,
    });
    const tries = workers.begun.map(({ job, attempt }) => `${job} ${attempt}`);
    const ends = new Map<string, number>();
    for (let after = 0; ; ) {
      const page = await store.history('main', after, 1_000);
      for (const { event, target } of page)
        if (event === 'job.succeeded') ends.set(target, (ends.get(target) ?? 0) + 1);
      const last = page.at(-1);
      if (!last) break;
      after = last.seq;
    }
    const twice = [...ends.values()].filter((times) => times > 1).length + tries.length - new Set(tries).size;
    process.stdout.write(
      `jobs ${all} · tries ${tries.length} · ended ${ends.size} · twice ${twice} · lost ${all - ends.size}\n`,
    );
    expect({ twice, ended: ends.size }).toEqual({ twice: 0, ended: all });
  },
);
