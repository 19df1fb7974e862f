import type { App } from '@slack/bolt';
import type { Logger } from 'pino';
import type { Adapter, Health, HttpApp, Notifier, Receive } from '../../src/core/adapter.ts';
import { MINUTE, SECOND, type Clock } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { ownAlone, type Own } from '../../src/core/owned.ts';
import { AccountWatch } from './account.ts';
import type { Receiver } from './decode.ts';
import { EchoWatch, type Hearing } from './echo-watch.ts';
import { type HttpModeOptions, mountHttpMode } from './http-mode.ts';
import { Intake } from './intake.ts';
import { LATENESS, type Lateness } from './late.ts';
import { listen } from './listeners.ts';
import { createNotifier } from './notifier.ts';
import { createClient, Rates } from './rates.ts';
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
  readonly http: HttpApp;
  readonly clock: Clock;
  readonly log: Logger;
  /** The slash command; `/signalbox` unless told. */
  readonly commandPrefix?: string;
  /** Milliseconds between two looks at the token; a minute unless told. */
  readonly checkEvery?: number;
  /** How many times faster than Slack's rates, for a Slack whose clock runs as much faster; 1 unless told. */
  readonly speed?: number;
  /** Two seconds, and two more tries, unless told. */
  readonly lateness?: Lateness;
  /** Called for each request that proved nothing, to be counted: forged traffic leaves no rows. */
  readonly onRefused?: () => void;
  /** One process holds the Socket Mode connection, the others stand by; this one is alone unless given. */
  readonly own?: Own;
  /** What the processes tell one another of when they heard something; this one is alone unless given. */
  readonly hearing?: Hearing;
}

const ALONE: Hearing = { load: () => Promise.resolve(undefined), save: () => Promise.resolve() };

/**
 * Slack for one team. In HTTP mode it mounts `POST /slack/events` on the shared server right here, which answers 503
 * until `start`. Loads Slack's libraries when called.
 * @throws Refusal `invalid_argument` when neither a signing secret nor an app token is given.
 */
export async function createSlackAdapter(options: SlackOptions): Promise<Adapter> {
  const { botToken, appToken, apiUrl, signingSecret, clock, log } = options;
  if (!appToken && !signingSecret)
    throw new Refusal(
      'invalid_argument',
      'Slack needs SLACK_SIGNING_SECRET, or SLACK_APP_TOKEN for Socket Mode.',
    );
  const bolt = await import('@slack/bolt');
  const logger = slackLog(log, bolt.LogLevel.WARN);
  const clientOptions = {
    ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }),
    logger,
    // One call is one request: Slack's own retries would post a message twice and hold up other channels.
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: 10 * SECOND,
    fetch: fetchInTime,
  };
  const rates = new Rates(options.speed);
  const client = createClient(bolt.webApi.WebClient, botToken, clientOptions, rates);
  const account = new AccountWatch(client, options.teamId, log);
  const echo = new EchoWatch(options.hearing ?? ALONE, clock, log);
  const intake = new Intake(
    () => account.account?.team,
    log,
    () => echo.heard(),
  );
  const app = new bolt.App({
    receiver: intake,
    authorize: () => Promise.resolve(authorization(botToken, account)),
    convoStore: false,
    logger,
    clientOptions,
  });
  const notifier = createNotifier(client, account, rates, (channel) => echo.posted(channel));
  listenTo(app, options, account, notifier);
  const parts = { isValid: bolt.isValidSlackRequest, intake, slackLog: logger };
  const socket = hear(options, parts);
  return assemble({ account, echo, intake, socket, checkEvery: options.checkEvery ?? MINUTE }, notifier);
}

/** What Slack's payloads reach us by: over the socket that is returned, or by the shared server. */
function hear(
  { appToken, apiUrl, signingSecret, clock, log, http, own = ownAlone, onRefused }: SlackOptions,
  { isValid, intake, slackLog: logger }: Transport,
): OwnedSocket | undefined {
  if (appToken)
    return new OwnedSocket(
      () => createSocketMode({ appToken, apiUrl, intake, clock, log, slackLog: logger }),
      own,
    );
  const refused = onRefused ?? (() => undefined);
  if (signingSecret)
    mountHttpMode({ app: http, intake, signingSecret, isValid, clock, log, onRefused: refused });
  return undefined;
}

interface Transport extends Pick<HttpModeOptions, 'isValid' | 'intake'> {
  readonly slackLog: ReturnType<typeof slackLog>;
}

function listenTo(app: App, options: SlackOptions, account: AccountWatch, notifier: Notifier): void {
  // Bolt would log the error and pass it on; the intake logs it once.
  app.error((error) => Promise.reject(error));
  listen(app, {
    receive: options.receive,
    log: options.log,
    notifier,
    lateness: options.lateness ?? LATENESS,
    command: options.commandPrefix ?? '/signalbox',
    receiver: () => receiver(options.workspace, account),
  });
}

interface Parts {
  readonly account: AccountWatch;
  readonly echo: EchoWatch;
  readonly intake: Intake;
  readonly socket: OwnedSocket | undefined;
  readonly checkEvery: number;
}

function assemble({ account, echo, intake, socket, checkEvery }: Parts, notifier: Notifier): Adapter {
  let state: 'new' | 'started' | 'stopped' = 'new';
  return {
    name: 'slack',
    notifier,
    async start() {
      await account.start(checkEvery);
      await intake.start();
      state = 'started';
      echo.start(checkEvery);
      try {
        await socket?.start();
      } catch (error) {
        account.stop();
        echo.stop();
        await intake.stop();
        throw error;
      }
    },
    async stop(deadline) {
      state = 'stopped';
      account.stop();
      echo.stop();
      await intake.stop();
      await intake.drain(deadline);
      await socket?.stop(deadline);
    },
    health(): Health {
      if (state !== 'started') return { state: 'off', reason: state === 'new' ? 'not started' : 'stopped' };
      const reason = account.problem ?? socket?.problem ?? echo.problem;
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
