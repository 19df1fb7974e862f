import { randomUUID } from 'node:crypto';
import { systemClock, type Clock } from '../../../src/domain/clock.ts';
import { Delivery, type Taken } from './delivery.ts';
import type { DeliveryOptions } from './envelope.ts';
import { Timestamps, type PostedMessage } from './messages.ts';
import type { PageWorld } from './page/world.ts';
import { blockActions, event, slashCommand, type Actor, type Team } from './payloads.ts';
import { REFUSALS } from './refusals.ts';
import { ResponseUrls, type ResponseUrlPost } from './response-url.ts';
import { closed, serve } from './server.ts';
import { SocketServer } from './socket.ts';
import { Violations } from './violations.ts';
import { WebApi, type ApiRequest, type Failure } from './web-api.ts';
import { dmOf, World, type Answer, type Asked, type FakeUser } from './world.ts';

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
export interface FakeSlack extends PageWorld {
  readonly url: string;
  readonly messages: readonly PostedMessage[];
  readonly updates: readonly PostedMessage[];
  readonly responseUrlPosts: readonly ResponseUrlPost[];
  readonly requests: readonly ApiRequest[];
  readonly socket: SocketServer;
  /** Somebody whom `state()` names. */
  addUser(user: FakeUser): void;
  /** Where HTTP mode posts to: `http://127.0.0.1:<port>/slack/events`. */
  pointTo(requestUrl: string): void;
  slashCommand(text: string, options: SlashOptions): Promise<Taken>;
  /** `text` is raw markup; mention the bot as `<@${fake.botUser}>`. */
  event(text: string, options: EventOptions): Promise<Taken>;
  directMessage(text: string, options: Omit<EventOptions, 'channel'>): Promise<Taken>;
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
  const world = new World(team, timestamps);
  const responseUrls = new ResponseUrls(clock, violations, world);
  const { server, url } = await serve(() => ({ api, socket, responseUrls }));
  const openSocket = (): string => url.replace('http', 'ws') + socket.issue();
  const api = new WebApi({
    ...options,
    ...team,
    botId: 'B0FAKE001',
    timestamps,
    violations,
    world,
    openSocket,
  });
  let requestUrl: string | undefined;
  const delivery = new Delivery({ signingSecret, clock, violations, socket, requestUrl: () => requestUrl });
  const responseUrl = (asked: Asked): string => url + responseUrls.issue(asked);
  const sender = senders({ team, delivery, timestamps, responseUrl, clock, world });
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
    ...REFUSALS,
    addUser: (user) => world.addUser(user),
    state: () => world.state(),
    onChange: (listener) => world.onChange(listener),
    dmOf,
    post: (contentType, body, how) => delivery.post(contentType, body, how),
    failNext: (method, failure) => api.failNext(method, failure),
    assertClean: () => violations.assertNone(),
    close: async () => {
      socket.close();
      await closed(server);
    },
  };
}

interface SenderParts {
  readonly team: Team;
  readonly delivery: Delivery;
  readonly timestamps: Timestamps;
  readonly responseUrl: (asked: Asked) => string;
  readonly clock: Clock;
  readonly world: World;
}

/** What people do in Slack, as deliveries. */
function senders({
  team,
  delivery,
  timestamps,
  responseUrl,
  clock,
  world,
}: SenderParts): Pick<FakeSlack, 'slashCommand' | 'event' | 'directMessage' | 'clickButton'> {
  const trigger = (): string => `trigger.${randomUUID()}`;
  const send: FakeSlack['event'] = (text, { eventId = `Ev${randomUUID()}`, thread, inner, ...options }) => {
    const ts = timestamps.next();
    const place = thread === undefined ? {} : { thread_ts: thread };
    const fields = { text, ts, event_ts: ts, ...place, ...inner };
    const seconds = Math.floor(clock.now().getTime() / 1_000);
    // A retry is the same message once more: people see it once.
    if (options.retryNum === undefined)
      world.typed({ channel: options.channel, user: options.user, text, ts, ...place });
    return delivery.send('events_api', event(team, options, fields, eventId, seconds), options);
  };
  return {
    async slashCommand(text, { triggerId = trigger(), command = '/signalbox', ...options }) {
      const address = responseUrl({ channel: options.channel, user: options.user });
      const payload = slashCommand(team, text, { ...options, command, triggerId, responseUrl: address });
      const taken = await delivery.send('slash_commands', payload, options);
      if (taken.status === 200 && isAnswer(taken.body)) world.answered(options, taken.body);
      return taken;
    },
    event: send,
    directMessage(text, { inner, ...options }) {
      const kind = { type: 'message', channel_type: 'im', ...inner };
      return send(text, { ...options, channel: dmOf(options.user), inner: kind });
    },
    clickButton(message, button, user, { triggerId = trigger(), ...options } = {}) {
      const actor = { ...options, user, channel: message.channel, triggerId, actionTs: timestamps.next() };
      const place = { ts: message.ts ?? timestamps.next(), thread_ts: message.thread_ts };
      const address = responseUrl({ channel: message.channel, user, original: message.ts });
      const payload = blockActions(team, { ...message, ...place }, button, {
        ...actor,
        responseUrl: address,
      });
      return delivery.send('interactive', payload, options);
    },
  };
}

const isAnswer = (body: unknown): body is Answer =>
  typeof body === 'object' && body !== null && 'text' in body && typeof body.text === 'string';
