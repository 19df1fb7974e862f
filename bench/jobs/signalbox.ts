import pino from 'pino';
import { commands } from '../../commands/index.ts';
import type { Receive } from '../../src/core/adapter.ts';
import { syncCatalog } from '../../src/core/catalog-sync.ts';
import { createCommandSet } from '../../src/core/command-set.ts';
import { createDirectory } from '../../src/core/directory.ts';
import { createDispatcher } from '../../src/core/dispatch.ts';
import { newId } from '../../src/core/ids.ts';
import { createLanguage } from '../../src/core/language/index.ts';
import { createAdmission } from '../../src/core/limits.ts';
import { verified, type Body } from '../../src/core/message.ts';
import type { Store } from '../../src/core/store.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { DAY, systemClock } from '../../src/domain/clock.ts';
import { JobWorker } from '../../src/worker/jobs.ts';
import { testCatalog } from '../../tests/support/harness.ts';
import { testRunbook } from '../../tests/support/runbook.ts';
import { countdown, type Engine } from './engine.ts';

const RUNBOOK = 'bench';
const MANY = 1_000_000_000;
const log = pino({ level: 'warn' }, pino.destination(2));

const catalog: Catalog = testCatalog({
  runbooks: new Map([[RUNBOOK, testRunbook({ name: RUNBOOK })]]),
  limits: { perSender: MANY, perChannel: MANY, perWorkspace: MANY, heartbeats: MANY },
  jobs: { concurrency: 10_000, queued: MANY, depth: 5, causedPerHour: MANY, keepLogs: 30 * DAY },
});

/** The whole pipeline on a store, without channels; sends a command as an administrator. */
export async function openPipeline(store: Store): Promise<(body: Body, key?: string) => Promise<void>> {
  const set = createCommandSet(commands);
  await store.transaction(catalog.workspace, (tx) => syncCatalog(tx, catalog));
  const receive: Receive = createDispatcher({
    store,
    catalog,
    commands: set,
    language: createLanguage(set),
    directory: createDirectory(catalog, (name) => {
      const needs = set.find(name)?.needs;
      return needs === 'none' ? undefined : needs;
    }),
    admission: createAdmission(catalog.limits, () => undefined),
    clock: systemClock,
    newId,
    log,
    health: () => ({}),
  });
  const { workspace } = catalog;
  const from = verified({
    workspace,
    channel: 'principal',
    subject: 'ana',
    assurance: 'local',
    scopes: ['*'],
  });
  return async (body, dedupeKey) => {
    const message = { channel: 'rest', from, body, conversation: 'rest:ana' } as const;
    const answer = await receive({ ...message, ...(dedupeKey !== undefined && { dedupeKey }) });
    if (answer.status !== 'ok') throw new Error(`not done: ${JSON.stringify(answer)}`);
  };
}

/** How many commands that fill the queue are under way at once. */
const CALLERS = 256;

/** Our engine: jobs are asked for by command, and every step is journalled. */
export async function openSignalbox(store: Store): Promise<Engine> {
  const send = await openPipeline(store);
  const put = () => send({ command: 'job.run', args: { runbook: RUNBOOK } });
  let working: JobWorker | undefined;
  const start = (atOnce: number, began: () => void, ended: () => void): JobWorker => {
    const execute = async () => {
      began();
      return { kind: 'done', result: {} } as const;
    };
    working = new JobWorker({
      store,
      catalog,
      clock: systemClock,
      log,
      owner: 'bench',
      execute,
      ended,
      concurrency: atOnce,
    });
    working.start();
    return working;
  };
  return {
    fill: async (jobs) => {
      let left = jobs;
      const caller = async () => {
        while (left > 0) {
          left -= 1;
          await put();
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
    },
    drain: async (jobs, atOnce) => {
      const { one, over } = countdown(jobs);
      const worker = start(atOnce, () => undefined, one);
      await over;
      await worker.stop(AbortSignal.timeout(1_000));
      working = undefined;
    },
    idle: async (began) => void start(1, began, () => undefined),
    put,
    close: async () => {
      await working?.stop(AbortSignal.timeout(1_000));
      await store.close();
    },
  };
}
