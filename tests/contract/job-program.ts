import { appendFileSync, existsSync } from 'node:fs';
import pino from 'pino';
import type { Store } from '../../src/core/store.ts';
import { systemClock } from '../../src/domain/clock.ts';
import { openDatabase } from '../../src/store/open.ts';
import { JobWorker } from '../../src/worker/jobs.ts';
import { testCatalog } from '../support/catalog.ts';
import { testRunbook, tries } from '../support/runbook.ts';

/** What a worker process of the engine's contract is told on its command line, as JSON. */
export interface ProgramOptions {
  /** A SQLite file, or the address of a PostgreSQL database. */
  readonly database: string;
  readonly owner: string;
  /** Each try adds a line `begin|end owner job attempt` here. */
  readonly ran: string;
  /** Tries of jobs with the argument `hold` wait for this file. */
  readonly gate: string;
  readonly concurrency: number;
  readonly lease: number;
}

export const openAny = (database: string): Promise<Store> =>
  openDatabase(
    database.startsWith('postgres:')
      ? { kind: 'postgres', url: database }
      : { kind: 'sqlite', path: database },
  );

/** The runbook of all jobs in the contract. */
export const WORK = testRunbook({
  name: 'work',
  args: { type: 'object', properties: { hold: { type: 'boolean' } }, additionalProperties: false },
  tries: tries({ max: 5, backoff: 10, cap: 10 }),
});
const jobCatalog = (over: Partial<typeof WORK> = {}) =>
  testCatalog({ runbooks: new Map([['work', { ...WORK, ...over }]]) });

async function gateOpen(file: string, signal: AbortSignal): Promise<void> {
  while (!existsSync(file) && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
}

async function program({ database, owner, ran, gate, concurrency, lease }: ProgramOptions): Promise<void> {
  const note = (what: string, job: string, attempt: number) =>
    appendFileSync(ran, `${what} ${owner} ${job} ${attempt}\n`);
  const worker = new JobWorker({
    store: await openAny(database),
    catalog: jobCatalog(),
    clock: systemClock,
    log: pino({ level: 'silent' }),
    owner,
    concurrency,
    lease,
    async execute({ cause, attempt, args, signal }) {
      note('begin', cause, attempt);
      if (args['hold'] === true) await gateOpen(gate, signal);
      note('end', cause, attempt);
      return { kind: 'done', result: {} };
    },
  });
  worker.start();
  process.stdout.write('ready\n');
}

if (import.meta.main) await program(JSON.parse(process.argv[2] ?? '{}') as ProgramOptions);
