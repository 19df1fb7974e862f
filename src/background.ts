import type { Logger } from 'pino';
import type { Member } from './assembly.ts';
import type { WorkerSettings } from './config/index.ts';
import { createAsk } from './core/jobs/asking.ts';
import { keepNotified } from './core/jobs/notifying.ts';
import type { Metrics } from './metrics.ts';
import type { Adapter, Notifier } from './core/adapter.ts';
import type { Services } from './core/services.ts';
import { asksSelf, type Catalog } from './domain/catalog.ts';
import { lastMoment, settled } from './core/deadline.ts';
import { workerLease } from './core/worker-leases.ts';
import { Breakers } from './worker/breakers.ts';
import { ChannelWatch } from './worker/channel-watch.ts';
import { execute } from './worker/executors/index.ts';
import { Warden } from './worker/executors/warden.ts';
import { createGuardedFetch, type GuardOptions } from './worker/guard.ts';
import { createJobNotifier } from './worker/job-notifier.ts';
import { JobWorker } from './worker/jobs.ts';
import { OutboxWorker } from './worker/outbox.ts';
import { Router } from './worker/router.ts';
import { Scheduler } from './worker/schedules.ts';
import { Sweeper } from './worker/sweep.ts';
import { Waits } from './worker/waits.ts';

/** What goes on in a process without a message. */
export interface Background {
  start(): void;
  /** Milliseconds since jobs were last looked for; it looks every second. Undefined where this process runs none. */
  sinceLook(): number | undefined;
  stop(deadline: AbortSignal): Promise<void>;
}

export interface JobsOptions extends Member {
  readonly services: Services;
  /** Where `${env:NAME}` of runbooks and probes comes from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly metrics: Metrics;
  /** The origin that this server, or the server that this worker belongs to, listens on. */
  readonly self: string;
  readonly jobs: WorkerSettings;
}

export interface BackgroundOptions extends Omit<JobsOptions, 'jobs'> {
  readonly adapters: readonly Adapter[];
  /** Undefined: other processes run the jobs. */
  readonly jobs: WorkerSettings | undefined;
}

interface Part {
  start?(): unknown;
  stop(deadline: AbortSignal): Promise<void>;
}

/** Runs jobs, and lets the others know that it is alive. */
export function createJobRunner(options: JobsOptions): Background {
  const { services, env, metrics, self, owner, own, jobs: settings } = options;
  const { store, catalog, clock, log } = services;
  const { workspace, probes, sandbox } = catalog;
  const fetch = createGuardedFetch(reachable(catalog, self));
  const breakers = new Breakers({ store, workspace, rules: catalog.breakers, log, newId: services.newId });
  const warden = new Warden(log, services.newId());
  metrics.breakers(() => breakers.open());
  const jobs = new JobWorker({
    store,
    catalog,
    clock,
    log,
    owner,
    ...settings,
    execute: (execution) =>
      execute(execution, { fetch, env, clock, probes, self, breakers, sandbox, warden }),
    ask: createAsk(services),
    ended: (_job, outcome) => metrics.jobEnded(outcome.kind),
    counted: metrics.claims,
  });
  const alive = own(workerLease(owner), {});
  return together([[jobs, alive], [warden]], log, () => jobs.sinceLook);
}

/**
 * What a server does besides its channels: jobs where it is to run them, deliveries, subscriptions, time-outs, and to say
 * when one of its channels is deaf.
 */
export function createBackground({ jobs: settings, adapters, ...options }: BackgroundOptions): Background {
  const { services, metrics, owner, own } = options;
  const { store, catalog, clock, log, directory } = services;
  const { workspace } = catalog;
  const jobs = settings && createJobRunner({ ...options, jobs: settings });
  const notifiers = new Map<string, Notifier>([
    ...adapters.flatMap((a) => (a.notifier ? [[a.name, a.notifier] as const] : [])),
    ...notifierOfEnds(options),
  ]);
  const delivered = metrics.delivered;
  const outbox = new OutboxWorker({ store, workspace, own, clock, log, notifiers, delivered });
  const router = new Router({ store, workspace, own, directory, log });
  const sweeper = new Sweeper(services, workspace, own);
  const scheduler = new Scheduler({ services, workspace, own });
  const waits = new Waits(services, workspace);
  const channels = () => adapters.map((adapter) => ({ name: adapter.name, health: adapter.health() }));
  const watch = new ChannelWatch({ store, workspace, own, owner, log, channels });
  const keepers = adapters.flatMap(({ keeper }) => keeper ?? []);
  const parts = [...(jobs ? [jobs] : []), ...keepers, router, sweeper, waits, scheduler, watch];
  // The outbox ends last, so that what the others told on their way out may still go out with the next start.
  return together([parts, [outbox]], log, () => jobs?.sinceLook());
}

/** Posts how jobs ended, where there is a secret to sign it with. */
function notifierOfEnds({ services, env }: Omit<JobsOptions, 'jobs'>): [string, Notifier][] {
  const { store, catalog, clock, log } = services;
  const secrets = env['SIGNALBOX_NOTIFY_SECRET']?.trim().split(/\s+/);
  if (!secrets) return [];
  const fetch = createGuardedFetch(reachable(catalog));
  const notifier = createJobNotifier({
    fetch,
    secrets,
    clock,
    log,
    receipt: (key, id, effect) =>
      store.transaction(catalog.workspace, (tx) => keepNotified(tx, key, id, effect)),
  });
  return [['webhook', notifier]];
}

/** Starts and stops as one, one stage after another; what fails to stop holds up nothing else. */
function together(
  stages: readonly (readonly Part[])[],
  log: Logger,
  sinceLook: Background['sinceLook'],
): Background {
  return {
    start: () => {
      for (const part of stages.flat()) void part.start?.();
    },
    sinceLook,
    stop: async (deadline) => {
      const last = lastMoment(deadline);
      const failed = (err: unknown) => log.warn({ err }, 'a worker did not stop cleanly');
      for (const stage of stages)
        await settled(
          stage.map((part) => part.stop(deadline)),
          last,
          failed,
        );
    },
  };
}

/** Where runs may go: in a sandbox to what is listed for it, and nowhere else. */
function reachable(catalog: Catalog, self?: string): GuardOptions {
  const { sandbox } = catalog;
  // What asks this server by name opens the way to it, and to nothing else on this machine.
  const ourselves = self !== undefined && asksSelf(catalog) ? [authority(self)] : [];
  const allowed = sandbox ? sandbox.allow : catalog.allowedHosts;
  return { allowedHosts: [...allowed, ...ourselves], sandboxed: sandbox !== undefined };
}

/** Host and port, the port also where it is the usual one: a host alone would open all of its ports. */
function authority(origin: string): string {
  const url = new URL(origin);
  return `${url.hostname}:${url.port || '80'}`;
}
