import type { App, webApi } from '@slack/bolt';
import type { Logger } from 'pino';
import type { Adapter, Health, HttpApp, Keeper, Receive } from '../../src/core/adapter.ts';
import type { Homes } from '../../src/core/homes.ts';
import { MINUTE, SECOND, type Clock } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { ownAlone, type Own } from '../../src/core/owned.ts';
import type { CommandSet } from '../../src/core/command.ts';
import { AccountWatch } from './account.ts';
import type { Receiver } from './decode.ts';
import { listenForForms } from './form-listeners.ts';
import { Forms } from './forms.ts';
import { HomeTabs } from './home.ts';
import { listenAtHome } from './home-listeners.ts';
import { mountHttpMode } from './http-mode.ts';
import { Intake } from './intake.ts';
import { listen } from './listeners.ts';
import { Members, vouched } from './members.ts';
import { createNotifier } from './notifier.ts';
import { slackLog } from './slack-log.ts';
import { OwnedSocket } from './owned-socket.ts';
import { createSocketMode } from './socket-mode.ts';

export interface SlackOptions {
  /** The workspace of ours that the Slack team belongs to. */
  readonly workspace: string;
  /** The Slack team; asked of Slack when absent, checked against the token when given. */
  readonly teamId?: string | undefined;
  /** Needed without `appToken`. */
  readonly signingSecret?: string | undefined;
  readonly botToken: string;
  /** Switches from HTTP to Socket Mode. */
  readonly appToken?: string | undefined;
  /** Web API address, such as `https://slack.com/api/`, when it is not Slack's. */
  readonly apiUrl?: string | undefined;
  readonly receive: Receive;
  /** What forms are made of, and what tells reading from changing. */
  readonly commands: CommandSet;
  /** Who has opened their Home; absent: nobody has one. */
  readonly homes?: Homes;
  readonly http: HttpApp;
  readonly clock: Clock;
  readonly log: Logger;
  /** The slash command; `/signalbox` unless told. */
  readonly commandPrefix?: string;
  /** Milliseconds between two looks at the token; a minute unless told. */
  readonly checkEvery?: number;
  /** Milliseconds between two looks for one person's Home; five seconds unless told. */
  readonly homeEvery?: number;
  /** Milliseconds that a sender waits at most until Slack says who they are; one and a half seconds unless told. */
  readonly askWithin?: number;
  /** Called for each request that proved nothing, to be counted: forged traffic leaves no rows. */
  readonly onRefused?: () => void;
  /** One process holds the Socket Mode connection, the others stand by; this one is alone unless given. */
  readonly own?: Own;
}

/**
 * Slack for one team. In HTTP mode it mounts `POST /slack/events` on the shared server right here, which answers 503
 * until `start`. Loads Slack's libraries when called.
 * @throws Refusal `invalid_argument` when neither a signing secret nor an app token is given.
 */
export async function createSlackAdapter(options: SlackOptions): Promise<Adapter> {
  const {
    botToken,
    appToken,
    apiUrl,
    signingSecret,
    clock,
    log,
    http,
    onRefused = () => undefined,
  } = options;
  if (!appToken && !signingSecret)
    throw new Refusal(
      'invalid_argument',
      'Slack needs SLACK_SIGNING_SECRET, or SLACK_APP_TOKEN for Socket Mode.',
    );
  const bolt = await import('@slack/bolt');
  const logger = slackLog(log, bolt.LogLevel.WARN);
  const clientOptions = callOptions(apiUrl, logger);
  const client = new bolt.webApi.WebClient(botToken, clientOptions);
  const account = new AccountWatch(client, options.teamId, log);
  const intake = new Intake(() => account.account?.team, log);
  const app = new bolt.App({
    receiver: intake,
    authorize: () => Promise.resolve(authorization(botToken, account)),
    convoStore: false,
    logger,
    clientOptions,
  });
  const members = new Members({ client, account, clock, log, within: options.askWithin });
  const vouchedFor = { ...options, receive: vouched(options.receive, members) };
  const keeper = listenTo(app, vouchedFor, client, account);
  let socket: OwnedSocket | undefined;
  if (appToken)
    socket = new OwnedSocket(
      () => createSocketMode({ appToken, apiUrl, intake, clock, log, slackLog: logger }),
      options.own ?? ownAlone,
    );
  else if (signingSecret)
    mountHttpMode({
      app: http,
      intake,
      signingSecret,
      isValid: bolt.isValidSlackRequest,
      clock,
      log,
      onRefused,
    });
  return assemble(
    { account, intake, socket, checkEvery: options.checkEvery ?? MINUTE },
    createNotifier(client, account),
    keeper,
  );
}

/** One call is one request: Slack's own retries would post a message twice and hold up other channels. */
const callOptions = (apiUrl: string | undefined, logger: ReturnType<typeof slackLog>) => ({
  ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }),
  logger,
  retryConfig: { retries: 0 },
  rejectRateLimitedCalls: true,
  timeout: 10 * SECOND,
  fetch: fetchInTime,
});

function listenTo(
  app: App,
  options: SlackOptions,
  client: webApi.WebClient,
  account: AccountWatch,
): Keeper | undefined {
  // Bolt would log the error and pass it on; the intake logs it once.
  app.error((error) => Promise.reject(error));
  const { receive, commands, clock, log } = options;
  const from = (): Receiver => receiver(options.workspace, account);
  const forms = new Forms({ client, account, commands, receive, receiver: from, clock, log });
  listen(app, { receive, log, command: options.commandPrefix ?? '/signalbox', receiver: from, forms });
  listenForForms(app, forms, () => account.account?.url ?? '', log);
  return homeTabs(app, options, client, account);
}

/** People's Homes, where it is kept who has opened theirs. */
function homeTabs(
  app: App,
  { receive, homes, commands, log, workspace, homeEvery, own = ownAlone }: SlackOptions,
  client: webApi.WebClient,
  account: AccountWatch,
): Keeper | undefined {
  if (!homes) return undefined;
  const from = (): Receiver => receiver(workspace, account);
  listenAtHome(app, { client, receive, receiver: from, homes, commands, log });
  return new HomeTabs({ client, account, receive, receiver: from, homes, own, log, every: homeEvery });
}

interface Parts {
  readonly account: AccountWatch;
  readonly intake: Intake;
  readonly socket: OwnedSocket | undefined;
  readonly checkEvery: number;
}

function assemble(
  { account, intake, socket, checkEvery }: Parts,
  notifier: Adapter['notifier'] & object,
  keeper: Keeper | undefined,
): Adapter {
  let state: 'new' | 'started' | 'stopped' = 'new';
  return {
    name: 'slack',
    notifier,
    ...(keeper && { keeper }),
    async start() {
      await account.start(checkEvery);
      await intake.start();
      state = 'started';
      try {
        await socket?.start();
      } catch (error) {
        account.stop();
        await intake.stop();
        throw error;
      }
    },
    async stop(deadline) {
      state = 'stopped';
      account.stop();
      await intake.stop();
      await intake.drain(deadline);
      await socket?.stop(deadline);
    },
    health(): Health {
      if (state !== 'started') return { state: 'off', reason: state === 'new' ? 'not started' : 'stopped' };
      const reason = account.problem ?? socket?.problem;
      if (reason !== undefined) return { state: 'deaf', reason };
      return socket?.standby ?? { state: 'on' };
    },
  };
}

function receiver(workspace: string, { account }: AccountWatch): Receiver {
  // The intake lets nothing through before the account is known.
  if (account === undefined) throw new Refusal('unavailable', 'Slack has not said who we are yet.');
  return { workspace, team: account.team, botUser: account.botUser };
}

function authorization(botToken: string, { account }: AccountWatch) {
  return {
    botToken,
    ...(account === undefined
      ? {}
      : { botId: account.botId, botUserId: account.botUser, teamId: account.team }),
  };
}

/** Bolt posts to a `response_url` without any time-out of its own. */
const fetchInTime: typeof fetch = (input, init) =>
  fetch(input, { ...init, signal: init?.signal ?? AbortSignal.timeout(10 * SECOND) });
