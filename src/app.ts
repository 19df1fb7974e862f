import type { Logger } from 'pino';
import { commands as commandList } from '../commands/index.ts';
import { createHttp, type Http } from '../adapters/http.ts';
import { mountOperations } from '../adapters/http/operations.ts';
import { ensureAdmin } from './admin.ts';
import { createLog, createMember, createServices, VERSION } from './assembly.ts';
import { channelStates, createChannels, type ChannelParts, type ChannelState, type Off } from './channels.ts';
import { lackingApprovers } from './approvers.ts';
import { checkCatalog, type Config } from './config/index.ts';
import type { Adapter } from './core/adapter.ts';
import { createAuthenticator, type BearerAuthenticator } from './core/bearer.ts';
import { syncCatalog } from './core/catalog-sync.ts';
import { lastMoment, settled } from './core/deadline.ts';
import { createDispatcher } from './core/dispatch.ts';
import { createFeed } from './core/live-feed.ts';
import { systemClock, type Clock } from './domain/clock.ts';
import { Metrics } from './metrics.ts';
import { addOutgoingMetrics } from './outgoing-metrics.ts';
import { readiness } from './readiness.ts';
import type { Database } from './store/database.ts';
import { openDatabase } from './store/open.ts';
import { measureJobs } from './worker/job-metrics.ts';
import { addUsageMetrics } from './usage-metrics.ts';
import { createBackground, type Background } from './background.ts';

/** Parts that tests put in the place of the real ones. */
export interface Overrides {
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly terminal?: ChannelParts['terminal'];
  readonly mail?: ChannelParts['mail'];
  readonly slack?: ChannelParts['slack'];
  /** Whether this process runs jobs, besides its channels; yes unless told. */
  readonly runsJobs?: boolean;
  /** It answers, and does nothing by itself: no jobs, schedules, messages. For a look at a database that was restored. */
  readonly holds?: boolean;
}

export interface App {
  /** What was created on this start and is shown once; undefined when there was an administrator. */
  readonly adminToken: string | undefined;
  readonly url: string;
  readonly port: number;
  readonly channels: () => readonly ChannelState[];
  /** Remarks for whoever started it: what is off or missing, and what to do about it. */
  readonly notes: readonly string[];
  /** Shows the prompt, after the banner; undefined where no terminal was given. */
  readonly prompt: (() => Promise<void>) | undefined;
  /** Stops intake, lets what runs finish for `grace` milliseconds, closes sockets and database. Idempotent. */
  stop(grace?: number): Promise<void>;
}

const ELSEWHERE =
  'It runs no jobs itself: start `signalbox worker` with the same SIGNALBOX_DB and configuration.';
const HELD = 'Held: it runs no jobs and schedules and sends no messages until it is started without --hold.';

/**
 * The composition root: production and end-to-end tests start the same program.
 * @throws ConfigError when a webhook rule does not fit its command; Refusal when the database cannot be opened, an
 * address is taken, or a channel refuses its credentials; what was started by then is stopped again.
 */
export async function startApp(config: Config, overrides: Overrides = {}): Promise<App> {
  const { settings, catalog } = config;
  const log = overrides.log ?? createLog(settings.logLevel);
  const clock = overrides.clock ?? systemClock;
  const remarks = checkCatalog(config, commandList);
  const report = (err: unknown) => log.error({ err }, 'something failed outside any command');
  const store = await openDatabase(settings.database, {
    ...(overrides.clock && { clock: overrides.clock }),
    report,
  });
  const undo: (() => Promise<unknown>)[] = [() => store.close()];
  try {
    await store.transaction(catalog.workspace, (tx) => syncCatalog(tx, catalog));
    const http = createHttp({ ...settings, log });
    const built = await build({ config, overrides, store, clock, log, http, report });
    undo.push(async () => built.authenticator.close());
    for (const adapter of built.adapters.filter((a) => a.name !== 'terminal')) {
      undo.push(() => adapter.stop(AbortSignal.abort()));
      await adapter.start();
    }
    const { port } = await http.listen();
    undo.push(() => http.close(AbortSignal.abort()));
    // After all that can fail: a token that was made is shown.
    const adminToken = await ensureAdmin(store, catalog.workspace, settings.adminToken);
    const origin = `http://${printable(settings.host)}:${port}`;
    // Only a remark: the token that was just made has to be shown whatever becomes of it.
    const lacking = await lackingApprovers(store, catalog).catch(() => []);
    const background = built.createBackground(origin);
    if (!overrides.holds) background.start();
    const prompt = built.adapters.find((a) => a.name === 'terminal');
    const stop = once((grace: number) => stopAll({ ...built, background, http, store, grace, log }));
    return {
      adminToken,
      url: settings.url ?? origin,
      port,
      channels: built.channels,
      notes: [...config.notes, ...remarks, ...lacking, ...leftOut(overrides)],
      prompt: prompt && (() => prompt.start()),
      stop: (grace = settings.grace) => stop(grace),
    };
  } catch (error) {
    for (const step of undo.toReversed())
      await step().catch((err: unknown) => log.warn({ err }, 'while giving up the start'));
    throw error;
  }
}

/** What this process leaves to others. */
const leftOut = ({ holds, runsJobs = true }: Overrides): readonly string[] =>
  holds ? [HELD] : runsJobs ? [] : [ELSEWHERE];

interface Parts {
  readonly report: (error: unknown) => void;
  readonly config: Config;
  readonly overrides: Overrides;
  readonly store: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly http: Http;
}

interface Built {
  readonly adapters: readonly Adapter[];
  readonly authenticator: BearerAuthenticator;
  readonly createBackground: (self: string) => Background;
  readonly channels: () => readonly ChannelState[];
}

async function build(parts: Parts): Promise<Built> {
  const { config, overrides, store, http } = parts;
  const { settings, catalog } = config;
  const state: { adapters: readonly Adapter[]; off: Off; background?: Background } = {
    adapters: [],
    off: new Map(),
  };
  const channels = () => channelStates(state.adapters, state.off);
  const metrics = new Metrics(channels);
  addUsageMetrics(metrics.registry, store, catalog);
  addOutgoingMetrics(metrics.registry, store, catalog.workspace);
  const services = createServices({ ...parts, metrics, channels });
  measureJobs({ registry: metrics.registry, store, catalog });
  const member = createMember(store, catalog.workspace, services.log);
  const publicUrl = settings.url ?? `http://${printable(settings.host)}:${settings.port}`;
  const authenticator = createAuthenticator({
    ...services,
    workspace: catalog.workspace,
    issuer: publicUrl,
    onRefused: () => metrics.unproven('bearer', 'http'),
    resolvePrincipal: (tx, identity) => services.directory.resolve(tx, identity),
  });
  const { terminal, mail, slack, runsJobs = true } = overrides;
  const made = await createChannels({
    ...services,
    config,
    http,
    authenticator,
    metrics,
    publicUrl,
    version: VERSION,
    receive: createDispatcher(services),
    feed: createFeed(store, parts.report),
    own: member.own,
    ...(terminal && { terminal }),
    ...(mail && { mail }),
    ...(slack && { slack }),
  });
  Object.assign(state, made);
  mountState(parts, metrics, channels, () => state.background);
  const { adapters } = made;
  return {
    adapters,
    authenticator,
    channels,
    createBackground: (self) =>
      (state.background = createBackground({
        ...member,
        services,
        env: config.env,
        metrics,
        adapters,
        self,
        jobs: runsJobs ? settings.worker : undefined,
      })),
  };
}

/** What tells whether all is well, and the page at `/`. */
function mountState(
  { config, store, http }: Parts,
  metrics: Metrics,
  channels: Built['channels'],
  background: () => Background | undefined,
): void {
  const { schema } = store;
  const { workspace } = config.catalog;
  mountOperations({
    http: http.app,
    version: VERSION,
    registry: metrics.registry,
    channels,
    ready: () => readiness({ store, schema, workspace, channels: channels(), background: background() }),
  });
}

async function stopAll(
  parts: Built & { background: Background; http: Http; store: Database; grace: number; log: Logger },
): Promise<void> {
  const { adapters, http, background, authenticator, store, grace, log } = parts;
  const deadline = AbortSignal.timeout(grace);
  const last = lastMoment(deadline);
  const settle = (steps: readonly Promise<unknown>[]) =>
    settled(steps, last, (err) => log.warn({ err }, 'while stopping'));
  await settle([...adapters.map((a) => a.stop(deadline)), http.close(deadline)]);
  await settle([background.stop(deadline)]);
  authenticator.close();
  await settle([store.close()]);
}

function once<A, R>(work: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  let running: Promise<R> | undefined;
  return (argument) => (running ??= work(argument));
}

/** An address as it stands in a URL; a server on every address is reached on the loopback. */
function printable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
