import type { Adapter, Health, Keeper, Notifier } from '../../src/core/adapter.ts';
import { ownAlone } from '../../src/core/owned.ts';
import { MINUTE, SECOND } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { AccountWatch } from './account.ts';
import { listenTo } from './all-listeners.ts';
import { EchoWatch, type Hearing } from './echo-watch.ts';
import { type HttpModeOptions, mountHttpMode } from './transport/http-mode.ts';
import { Intake } from './transport/intake.ts';
import { Members, vouched } from './members.ts';
import { createNotifier } from './notifier.ts';
import type { SlackOptions } from './options.ts';
import { OwnedSocket } from './transport/owned-socket.ts';
import { createClient, Rates } from './rates.ts';
import { slackLog } from './transport/slack-log.ts';
import { createSocketMode } from './transport/socket-mode.ts';

export type { SlackOptions };

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
  const clientOptions = callOptions(apiUrl, logger);
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
  const members = new Members({ client, account, clock, log, within: options.askWithin });
  const vouchedFor = { ...options, receive: vouched(options.receive, members) };
  const keeper = listenTo(app, vouchedFor, { client, account, notifier });
  const parts = { isValid: bolt.isValidSlackRequest, intake, slackLog: logger };
  const socket = hear(options, parts);
  return assemble({
    account,
    echo,
    intake,
    socket,
    notifier,
    keeper,
    checkEvery: options.checkEvery ?? MINUTE,
  });
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

interface Parts {
  readonly account: AccountWatch;
  readonly echo: EchoWatch;
  readonly intake: Intake;
  readonly socket: OwnedSocket | undefined;
  readonly notifier: Notifier;
  readonly keeper: Keeper | undefined;
  readonly checkEvery: number;
}

function assemble({ account, echo, intake, socket, notifier, keeper, checkEvery }: Parts): Adapter {
  let state: 'new' | 'started' | 'stopped' = 'new';
  return {
    name: 'slack',
    notifier,
    ...(keeper && { keeper }),
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

/** One call is one request: Slack's own retries would post a message twice and hold up other channels. */
const callOptions = (apiUrl: string | undefined, logger: ReturnType<typeof slackLog>) => ({
  ...(apiUrl === undefined ? {} : { slackApiUrl: apiUrl }),
  logger,
  retryConfig: { retries: 0 },
  rejectRateLimitedCalls: true,
  timeout: 10 * SECOND,
  fetch: fetchInTime,
});

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
