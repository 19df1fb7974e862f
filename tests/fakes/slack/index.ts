import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../../../src/domain/clock.ts';
import { Delivery, type Taken } from './delivery.ts';
import type { DeliveryOptions } from './envelope.ts';
import { Timestamps, type PostedMessage } from './messages.ts';
import { blockActions, event, slashCommand, type Actor, type Team } from './payloads.ts';
import { ResponseUrls, type ResponseUrlPost } from './response-url.ts';
import { closed, serve } from './server.ts';
import { SocketServer } from './socket.ts';
import { Violations } from './violations.ts';
import { WebApi, type ApiRequest, type Failure } from './web-api.ts';

export interface FakeSlackOptions {
  readonly signingSecret: string;
  readonly botToken: string;
  readonly appToken: string;
  readonly teamId: string;
  /** Signs with and stamps by this time; the system's unless told. */
  readonly clock?: Clock;
}

interface SlashOptions extends Actor, DeliveryOptions {
  readonly triggerId?: string;
  /** `/signalbox` unless told. */
  readonly command?: string;
}

interface EventOptions extends Actor, DeliveryOptions {
  readonly eventId?: string;
  readonly thread?: string;
  /** More fields of the inner event, or others instead: `{ bot_id: 'B9' }`. */
  readonly inner?: Record<string, unknown>;
}

interface ClickOptions extends DeliveryOptions {
  readonly triggerId?: string;
  readonly team?: string;
}

/** What a button stands on: a posted message, or an ephemeral answer with its channel. */
type Clickable = Pick<PostedMessage, 'channel' | 'text' | 'blocks'> & Partial<PostedMessage>;

/** A strict Slack on loopback: it behaves as documented and notes everything that the real one would refuse. */
export interface FakeSlack {
  readonly url: string;
  /** The Web API's address, as `apiUrl` of the adapter. */
  readonly apiUrl: string;
  readonly botUser: string;
  readonly messages: readonly PostedMessage[];
  readonly updates: readonly PostedMessage[];
  readonly responseUrlPosts: readonly ResponseUrlPost[];
  readonly requests: readonly ApiRequest[];
  readonly socket: SocketServer;
  readonly violations: readonly string[];
  /** Where HTTP mode posts to: `http://127.0.0.1:<port>/slack/events`. */
  pointTo(requestUrl: string): void;
  slashCommand(text: string, options: SlashOptions): Promise<Taken>;
  /** `text` is raw markup; mention the bot as `<@${fake.botUser}>`. */
  event(text: string, options: EventOptions): Promise<Taken>;
  /** `button` is an action_id, a label, a command's name, or a button that is not on the message. */
  clickButton(
    message: Clickable,
    button: string | { action_id: string; value?: string },
    user: string,
    options?: ClickOptions,
  ): Promise<Taken>;
  /** A signed request with any body, over HTTP. */
  post(contentType: string, body: string, options?: DeliveryOptions): Promise<Omit<Taken, 'milliseconds'>>;
  failNext(method: string, failure: Failure): void;
  /** @throws Error naming everything that the real Slack would have refused. */
  assertClean(): void;
  close(): Promise<void>;
}

export async function startFakeSlack(options: FakeSlackOptions): Promise<FakeSlack> {
  const { teamId, signingSecret, clock = systemClock } = options;
  const team: Team = { teamId, botUser: 'UBOT00001', appId: 'A0FAKE001' };
  const violations = new Violations();
  const timestamps = new Timestamps(clock);
  const socket = new SocketServer(team.appId, violations);
  const responseUrls = new ResponseUrls(clock, violations);
  const { server, url } = await serve(() => ({ api, socket, responseUrls }));
  const openSocket = (): string => url.replace('http', 'ws') + socket.issue();
  const api = new WebApi({ ...options, ...team, botId: 'B0FAKE001', timestamps, violations, openSocket });
  let requestUrl: string | undefined;
  const delivery = new Delivery({ signingSecret, clock, violations, socket, requestUrl: () => requestUrl });
  const sender = senders(
    team,
    delivery,
    timestamps,
    (channel, user) => url + responseUrls.issue(channel, user),
    clock,
  );
  return {
    url,
    apiUrl: `${url}/api/`,
    botUser: team.botUser,
    messages: api.messages,
    updates: api.updates,
    requests: api.requests,
    responseUrlPosts: responseUrls.posts,
    socket,
    violations: violations.list,
    pointTo: (address) => {
      requestUrl = address;
    },
    ...sender,
    post: (contentType, body, how) => delivery.post(contentType, body, how),
    failNext: (method, failure) => api.failNext(method, failure),
    assertClean: () => violations.assertNone(),
    close: async () => {
      socket.close();
      await closed(server);
    },
  };
}

/** What people do in Slack, as deliveries. */
function senders(
  team: Team,
  delivery: Delivery,
  timestamps: Timestamps,
  responseUrl: (channel: string, user: string) => string,
  clock: Clock,
): Pick<FakeSlack, 'slashCommand' | 'event' | 'clickButton'> {
  const trigger = (): string => `trigger.${randomUUID()}`;
  return {
    slashCommand(text, { triggerId = trigger(), command = '/signalbox', ...options }) {
      const address = responseUrl(options.channel, options.user);
      const payload = slashCommand(team, text, { ...options, command, triggerId, responseUrl: address });
      return delivery.send('slash_commands', payload, options);
    },
    event(text, { eventId = `Ev${randomUUID()}`, thread, inner, ...options }) {
      const ts = timestamps.next();
      const place = thread === undefined ? {} : { thread_ts: thread };
      const fields = { text, ts, event_ts: ts, ...place, ...inner };
      const seconds = Math.floor(clock.now().getTime() / 1_000);
      return delivery.send('events_api', event(team, options, fields, eventId, seconds), options);
    },
    clickButton(message, button, user, { triggerId = trigger(), ...options } = {}) {
      const actor = { ...options, user, channel: message.channel, triggerId, actionTs: timestamps.next() };
      const place = { ts: message.ts ?? timestamps.next(), thread_ts: message.thread_ts };
      const address = responseUrl(message.channel, user);
      const payload = blockActions(team, { ...message, ...place }, button, {
        ...actor,
        responseUrl: address,
      });
      return delivery.send('interactive', payload, options);
    },
  };
}
