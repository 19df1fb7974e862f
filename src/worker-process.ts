import type { Logger } from 'pino';
import { createHttp, type Http } from '../adapters/http.ts';
import { mountOperations } from '../adapters/http/operations.ts';
import { createLog, createMember, createServices, VERSION } from './assembly.ts';
import type { Config } from './config/index.ts';
import { lastMoment, settled } from './core/deadline.ts';
import { systemClock } from './domain/clock.ts';
import { Metrics } from './metrics.ts';
import { readiness } from './readiness.ts';
import type { Database } from './store/database.ts';
import { openCurrent } from './store/open.ts';
import { createJobRunner, type Background } from './background.ts';

// `signalbox worker`: a process that runs jobs and has no channels.

export interface WorkerProcess {
  /** What it does, in one line. */
  readonly line: string;
  /** Takes nothing more, lets what runs end within the grace, gives the rest back. Idempotent. */
  stop(): Promise<void>;
}

/** @throws Refusal when the database cannot be opened or is not this version's, or the health port is taken. */
export async function startWorker(config: Config): Promise<WorkerProcess> {
  const { settings, catalog } = config;
  const log = createLog(settings.logLevel);
  const report = (err: unknown) => log.error({ err }, 'something failed outside any job');
  const store = await openCurrent(settings.database, { report });
  const metrics = new Metrics(() => []);
  const services = createServices({
    config,
    store,
    clock: systemClock,
    log,
    metrics,
    channels: () => [],
  });
  const background = createJobRunner({
    ...createMember(store, catalog.workspace, log),
    services,
    env: config.env,
    metrics,
    self: settings.url ?? `http://${settings.host}:${settings.port}`,
    jobs: settings.worker,
  });
  try {
    const health = await listen({ config, store, metrics, background, log });
    background.start();
    const stop = async () => {
      const deadline = AbortSignal.timeout(settings.grace);
      const last = lastMoment(deadline);
      const settle = (step: Promise<unknown> | undefined) =>
        settled(step ? [step] : [], last, (err) => log.warn({ err }, 'while stopping'));
      await settle(background.stop(deadline));
      await settle(health?.close(AbortSignal.abort()));
      await settle(store.close());
    };
    let stopping: Promise<void> | undefined;
    return { line: line(config, health?.port), stop: () => (stopping ??= stop()) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function line({ settings, catalog, notes }: Config, port: number | undefined): string {
  const { capabilities, concurrency } = settings.worker;
  const health = port === undefined ? '' : `; health on http://${settings.host}:${port}/readyz`;
  const jobs = `up to ${concurrency} jobs at a time that need ${capabilities.join(' or ')}`;
  return [`● worker of ${catalog.workspace}: ${jobs}${health}`, ...notes.map((n) => `  Note  ${n}`)].join(
    '\n',
  );
}

interface Listening {
  readonly port: number;
  readonly close: Http['close'];
}

/** `/healthz`, `/readyz` and `/metrics`, where a port was set for them. */
async function listen(parts: {
  readonly config: Config;
  readonly store: Database;
  readonly metrics: Metrics;
  readonly background: Background;
  readonly log: Logger;
}): Promise<Listening | undefined> {
  const { config, store, metrics, background, log } = parts;
  const { healthPort: port, host } = config.settings;
  if (port === undefined) return undefined;
  const { schema } = store;
  const { workspace } = config.catalog;
  const http = createHttp({ host, port, trustedProxies: [], allowedOrigins: [], log });
  mountOperations({
    http: http.app,
    version: VERSION,
    registry: metrics.registry,
    channels: () => [],
    ready: () => readiness({ store, schema, workspace, channels: [], background }),
  });
  const { port: bound } = await http.listen();
  return { port: bound, close: (deadline) => http.close(deadline) };
}
