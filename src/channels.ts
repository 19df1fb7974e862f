import type { Readable, Writable } from 'node:stream';
import type { Logger } from 'pino';
import { createEmailAdapter, type EmailOptions } from '../adapters/email/index.ts';
import type { Http } from '../adapters/http.ts';
import { createRestAdapter } from '../adapters/rest/index.ts';
import { createSlackAdapter, type SlackOptions } from '../adapters/slack/index.ts';
import { createTerminalAdapter, type TerminalOptions } from '../adapters/terminal/index.ts';
import { createWebhookAdapter } from '../adapters/webhook/index.ts';
import { createWebSocketAdapter } from '../adapters/websocket/index.ts';
import { ADMIN } from './admin.ts';
import { sourceSecrets, type Config, type MailServer } from './config/index.ts';
import type { Adapter, Health, Receive } from './core/adapter.ts';
import type { Authenticator } from './core/authenticator.ts';
import type { CommandSet } from './core/command.ts';
import type { Feed } from './core/feed.ts';
import { createHomes } from './core/homes.ts';
import type { Language } from './core/language.ts';
import type { Admission } from './core/limits.ts';
import { CHANNELS, verified, type ChannelName } from './core/message.ts';
import type { Own } from './core/owned.ts';
import type { Store } from './core/store.ts';
import type { Clock } from './domain/clock.ts';
import { leases, mailboxes } from './domain/records.ts';
import type { Metrics } from './metrics.ts';

export interface ChannelParts {
  readonly config: Config;
  readonly http: Http;
  readonly store: Store;
  readonly commands: CommandSet;
  readonly language: Language;
  readonly authenticator: Authenticator;
  readonly admission: Admission;
  readonly feed: Feed;
  readonly own: Own;
  readonly receive: Receive;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  readonly publicUrl: string;
  /** A terminal to prompt on; absent: no prompt. */
  readonly terminal?: Terminal;
  /** DNS of the mail verifier, for tests. */
  readonly mail?: Partial<Pick<EmailOptions, 'resolver' | 'pollInterval' | 'retry'>>;
  /** How often people's Homes are looked at, for tests. */
  readonly slack?: Pick<SlackOptions, 'homeEvery'>;
}

export interface Terminal {
  readonly input: Readable;
  readonly output: Writable & { readonly isTTY?: boolean };
  readonly onExit: () => void;
}

export interface ChannelState {
  readonly name: ChannelName;
  readonly health: Health;
}

/** Why a channel is off, by name. */
export type Off = ReadonlyMap<ChannelName, string>;

/** The channels that are on, in the order in which they start. Nothing of a channel that is off is loaded. */
export async function createChannels(parts: ChannelParts): Promise<{ adapters: Adapter[]; off: Off }> {
  const { config, http, clock, log, receive, commands, metrics, version } = parts;
  const { authenticator, admission, feed, publicUrl } = parts;
  const { catalog, settings } = config;
  const { workspace } = catalog;
  const common = { workspace, receive, clock, log };
  const live = { http: http.app, authenticator, admission, feed, publicUrl };
  const adapters: Adapter[] = [
    createRestAdapter({ ...common, ...live, commands, catalog, store: parts.store, version }),
    createWebSocketAdapter({
      ...common,
      ...live,
      server: http.server,
      allowedOrigins: settings.allowedOrigins,
    }),
  ];
  const off = new Map<ChannelName, string>();
  if (catalog.sources.size > 0)
    adapters.push(
      createWebhookAdapter({
        ...common,
        http: http.app,
        sources: catalog.sources,
        secrets: (source) => sourceSecrets(config, source),
        onRefused: (source) => metrics.unproven('webhook', source),
      }),
    );
  else off.set('webhook', secretsOf(config.sources) || 'a source in the configuration');
  if (settings.slack.on) adapters.push(await slack(parts, settings.slack));
  else off.set('slack', settings.slack.turnOnWith);
  if (settings.email.on) adapters.push(await email(parts, settings.email));
  else off.set('email', settings.email.turnOnWith);
  if (parts.terminal) adapters.push(terminal(parts, parts.terminal));
  else off.set('terminal', 'a terminal as input and output');
  adapters.sort((a, b) => CHANNELS.indexOf(a.name) - CHANNELS.indexOf(b.name));
  return { adapters, off };
}

/** Every channel: what its adapter says, or which variables turn it on. */
export function channelStates(adapters: readonly Adapter[], off: Off): ChannelState[] {
  return CHANNELS.map((name) => {
    const health = adapters.find((a) => a.name === name)?.health();
    return {
      name,
      health: health ?? { state: 'off', reason: `turn it on with ${off.get(name) ?? 'its variables'}` },
    };
  });
}

/** The variables of which any one turns webhooks on. */
const secretsOf = (sources: Config['sources']): string =>
  [...sources.values()].flatMap((source) => source.secrets).join(' or ');

type On<T> = Extract<T, { on: true }>;

function slack(
  { config, http, store, commands, receive, own, clock, log, metrics, slack: more }: ChannelParts,
  settings: On<Config['settings']['slack']>,
): Promise<Adapter> {
  const { botToken, signingSecret, appToken, teamId, apiUrl } = settings;
  return createSlackAdapter({
    workspace: config.catalog.workspace,
    http: http.app,
    hearing: slackHearing(store, config.catalog.workspace),
    receive,
    commands,
    homes: createHomes(store, config.catalog.workspace, 'slack'),
    own,
    clock,
    log,
    botToken,
    onRefused: () => metrics.unproven('slack', 'http'),
    ...(signingSecret !== undefined && { signingSecret }),
    ...(appToken !== undefined && { appToken }),
    ...(teamId !== undefined && { teamId }),
    ...(apiUrl !== undefined && { apiUrl }),
    ...more,
  });
}

function email(parts: ChannelParts, settings: On<Config['settings']['email']>): Promise<Adapter> {
  const { config, store, receive, own, clock, log, metrics, mail } = parts;
  const { workspace } = config.catalog;
  const { imap, smtp, address } = settings;
  return createEmailAdapter({
    workspace,
    address,
    imap: { ...serverOptions(imap), user: imap.user, pass: imap.password },
    smtp: serverOptions(smtp),
    pollInterval: settings.pollInterval,
    receive,
    own,
    clock,
    log,
    dropped: metrics.dropped,
    cursor: cursorStore(store, workspace, `${imap.user}@${imap.host}`),
    ...mail,
  });
}

function serverOptions({ host, port, secure, user, password, ca }: MailServer) {
  return {
    host,
    port,
    secure,
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    ...(ca !== undefined && { tls: { ca } }),
  };
}

/** A lease that nobody holds: it ends when something was last heard. */
const HEARD = 'slack:heard';

function slackHearing(store: Store, workspace: string): NonNullable<SlackOptions['hearing']> {
  return {
    load: async () => (await store.read(workspace, (tx) => tx.get(leases, { id: HEARD })))?.expiresAt,
    save: (at) =>
      store.transaction(workspace, async (tx) => {
        const row = await tx.get(leases, { id: HEARD });
        if (!row) await tx.insert(leases, { id: HEARD, holder: 'nobody', fence: 0, expiresAt: at });
        else if (row.expiresAt < at) await tx.update(leases, row, { expiresAt: at });
      }),
  };
}

function cursorStore(store: Store, workspace: string, id: string): EmailOptions['cursor'] {
  return {
    load: () => store.transaction(workspace, (tx) => tx.get(mailboxes, { id })),
    save: ({ uidValidity, lastUid }) =>
      store.transaction(workspace, async (tx) => {
        const row = await tx.get(mailboxes, { id });
        if (row) await tx.update(mailboxes, row, { uidValidity, lastUid });
        else await tx.insert(mailboxes, { id, uidValidity, lastUid });
      }),
  };
}

/** Whoever sits at the server's own terminal could write the database as well: that is the administrator. */
function terminal(
  { config, receive, clock, language, commands }: ChannelParts,
  { input, output, onExit }: Terminal,
): Adapter {
  const { workspace } = config.catalog;
  const identity = verified({
    workspace,
    channel: 'principal',
    subject: ADMIN,
    assurance: 'local',
    scopes: ['*'],
  });
  const words = commands.all.map((command) => command.name.replaceAll('.', ' '));
  return createTerminalAdapter({
    input,
    output: output as TerminalOptions['output'],
    receive,
    identity,
    clock,
    complete: () => words,
    format: (invocation) => language.format(invocation),
    onExit,
  });
}
