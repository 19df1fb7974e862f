import { hostname } from 'node:os';
import type { Metrics } from './metrics.ts';
import type { Adapter, Notifier } from './core/adapter.ts';
import type { Services } from './core/services.ts';
import { asksSelf } from './domain/catalog.ts';
import { execute } from './worker/executors/index.ts';
import { createGuardedFetch } from './worker/guard.ts';
import { JobWorker } from './worker/jobs.ts';
import { OutboxWorker } from './worker/outbox.ts';
import { Router } from './worker/router.ts';
import { Sweeper } from './worker/sweep.ts';

export interface Workers {
  start(): void;
  /** Milliseconds since jobs were last looked for; it looks every second. */
  sinceLook(): number;
  stop(deadline: AbortSignal): Promise<void>;
}

export interface WorkersOptions {
  readonly services: Services;
  /** Where `${env:NAME}` of runbooks and probes comes from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly metrics: Metrics;
  readonly adapters: readonly Adapter[];
  /** The origin that this server listens on. */
  readonly self: string;
}

/** Without a terminal nobody sits at the prompt: what was to be told there is not kept for a later start. */
const NOBODY: Notifier = { send: async (_to, { key }) => ({ externalId: key }) };

/** What goes on without a message: jobs, deliveries, subscriptions, time-outs. */
export function createWorkers({ services, env, metrics, adapters, self }: WorkersOptions): Workers {
  const { store, catalog, clock, log, directory, newId } = services;
  const { workspace, allowedHosts, probes } = catalog;
  const owner = `${hostname()}/${process.pid}/${newId()}`;
  // What asks this server by name opens the way to it, and to nothing else on this machine.
  const own = asksSelf(catalog) ? [authority(self)] : [];
  const fetch = createGuardedFetch({ allowedHosts: [...allowedHosts, ...own] });
  const jobs = new JobWorker({
    store,
    catalog,
    clock,
    log,
    owner,
    execute: (execution) => execute(execution, { fetch, env, clock, probes, self }),
    ended: (_job, outcome) => metrics.jobEnded(outcome.kind),
  });
  const notifiers = new Map<string, Notifier>([
    ['terminal', NOBODY],
    ...adapters.flatMap((a) => (a.notifier ? [[a.name, a.notifier] as const] : [])),
  ]);
  const outbox = new OutboxWorker({
    store,
    workspace,
    owner,
    clock,
    log,
    notifiers,
    delivered: metrics.delivered,
  });
  const router = new Router({ store, workspace, owner, directory, log });
  const sweeper = new Sweeper(services, workspace);
  return {
    start: () => {
      for (const worker of [jobs, outbox, router, sweeper]) worker.start();
    },
    sinceLook: () => jobs.sinceLook,
    stop: async (deadline) => {
      const ended = await Promise.allSettled([jobs.stop(deadline), router.stop(), sweeper.stop()]);
      // Last, so that what the others told on their way out may still go out with the next start.
      for (const result of [...ended, ...(await Promise.allSettled([outbox.stop()]))]) {
        if (result.status === 'rejected')
          log.warn({ err: result.reason as unknown }, 'a worker did not stop cleanly');
      }
    },
  };
}

/** Host and port, the port also where it is the usual one: a host alone would open all of its ports. */
function authority(origin: string): string {
  const url = new URL(origin);
  return `${url.hostname}:${url.port || '80'}`;
}
