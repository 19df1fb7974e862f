import { systemClock, type Clock } from '../../../src/domain/clock.ts';
import { Acts } from './acts.ts';
import { Chat } from './chat.ts';
import { Conversations } from './conversations.ts';
import { Delivery, type Taken } from './delivery.ts';
import { Echoes } from './echoes.ts';
import type { DeliveryOptions } from './envelope.ts';
import { changed, echo, eventCallback, subscriptionOf } from './events.ts';
import { Timestamps, type PostedMessage } from './messages.ts';
import { ALL_SCOPES } from './methods.ts';
import { Rates, type RateLimited } from './rates.ts';
import { ResponseUrls, type ResponseUrlPost } from './response-url.ts';
import { closed, serve } from './server.ts';
import { SocketServer } from './socket.ts';
import { stateOf, type FakeState } from './state.ts';
import { Subscriptions } from './subscriptions.ts';
import type { Bot } from './team.ts';
import { Triggers } from './triggers.ts';
import { Users } from './users.ts';
import { ViewActs } from './view-acts.ts';
import { Views, type SlackView } from './views.ts';
import { Violations } from './violations.ts';
import { WebApi, type ApiRequest, type Failure } from './web-api.ts';
import { World, type Channel, type NewUser } from './world.ts';

export interface FakeSlackOptions {
  readonly signingSecret: string;
  readonly botToken: string;
  readonly appToken: string;
  readonly teamId: string;
  /** Signs with and stamps by this time; the system's unless told. */
  readonly clock?: Clock;
  /** The bot's; all that methods and events take unless told. */
  readonly scopes?: readonly string[];
  /** What the app subscribed to; `app_mention`, `message.im` and `app_home_opened` unless told. */
  readonly events?: readonly string[];
  readonly users?: readonly NewUser[];
  readonly channels?: readonly (Pick<Channel, 'id'> & Partial<Channel>)[];
  /** Refuses calls that come faster than Slack's rates. */
  readonly rates?: boolean;
  /** Delivers events again that were not acknowledged. */
  readonly retries?: boolean;
  /** Lets the milliseconds pass that Slack waits between such deliveries; the real ones unless told. */
  readonly wait?: (milliseconds: number) => Promise<void>;
  /** Milliseconds after which an event counts as not acknowledged; Slack's three seconds unless told. */
  readonly patience?: number;
}

/** What people do (see `acts.ts` and `view-acts.ts`); each resolves with how the app took it. */
type Doings = Pick<
  Acts,
  | 'slashCommand'
  | 'event'
  | 'directMessage'
  | 'say'
  | 'editMessage'
  | 'deleteMessage'
  | 'openHome'
  | 'clickButton'
  | 'messageShortcut'
> &
  Pick<ViewActs, 'clickInHome' | 'clickInModal' | 'submitModal' | 'closeModal'>;

/** The world, and what Slack's administrators do to it. */
type Worldly = Pick<
  World,
  'addUser' | 'deleteUser' | 'addChannel' | 'archive' | 'removeBot' | 'dmOf' | 'onChange'
>;

/** A strict Slack on loopback: it behaves as documented and notes everything that the real one would refuse. */
export interface FakeSlack extends Doings, Worldly {
  readonly url: string;
  /** The Web API's address, as `apiUrl` of the adapter. */
  readonly apiUrl: string;
  readonly botUser: string;
  /** What the bot posted, as it stands now; what only one person sees is in `state()`. */
  readonly messages: readonly PostedMessage[];
  readonly updates: readonly PostedMessage[];
  readonly responseUrlPosts: readonly ResponseUrlPost[];
  readonly requests: readonly ApiRequest[];
  readonly rateLimited: readonly RateLimited[];
  readonly socket: SocketServer;
  readonly violations: readonly string[];
  /** A muted Slack takes calls, and sends nothing to the app. */
  muted: boolean;
  /** Where HTTP mode posts to: `http://127.0.0.1:<port>/slack/events`. */
  pointTo(requestUrl: string): void;
  /** The modals that a user has open, the undermost first. */
  modals(user: string): readonly SlackView[];
  /** What stands under the fields of the topmost one, by block_id. */
  modalErrors(user: string): Readonly<Record<string, string>>;
  home(user: string): SlackView | undefined;
  /** A signed request with any body, over HTTP. */
  post(contentType: string, body: string, options?: DeliveryOptions): Promise<Omit<Taken, 'milliseconds'>>;
  failNext(method: string, failure: Failure): void;
  state(): FakeState;
  /** Resolves when what Slack sends on its own has arrived. */
  settled(): Promise<void>;
  /** @throws Error naming everything that the real Slack would have refused. */
  assertClean(): void;
  close(): Promise<void>;
}

const EVENTS = ['app_mention', 'message.im', 'app_home_opened'];

export async function startFakeSlack(options: FakeSlackOptions): Promise<FakeSlack> {
  const { teamId, signingSecret, clock = systemClock, scopes = ALL_SCOPES, events = EVENTS } = options;
  const bot: Bot = {
    teamId,
    botUser: 'UBOT00001',
    appId: 'A0FAKE001',
    botId: 'B0FAKE001',
    name: 'Signalbox',
  };
  const violations = new Violations();
  const world = inhabited(options, bot);
  const base = { bot, clock, world, violations, timestamps: new Timestamps(clock) };
  const triggers = new Triggers(clock);
  const views = new Views({ ...base, triggers, onChange: () => world.changed() });
  const socket = new SocketServer(bot.appId, violations);
  const responseUrls = new ResponseUrls(base);
  const { server, url } = await serve(() => ({ api, socket, responseUrls }));
  let requestUrl: string | undefined;
  const delivery = new Delivery({
    ...options,
    signingSecret,
    clock,
    violations,
    socket,
    requestUrl: () => requestUrl,
  });
  const subscriptions = new Subscriptions(events, scopes);
  const echoes = new Echoes();
  const chat = new Chat({ ...base, onPosted: echoing({ ...base, subscriptions, delivery, echoes }) });
  const rates = options.rates === true ? new Rates(clock) : undefined;
  const api = new WebApi({
    ...options,
    scopes,
    bot,
    violations,
    rates,
    chat,
    conversations: new Conversations(world, bot),
    users: new Users(world),
    views,
    openSocket: () => url.replace('http', 'ws') + socket.issue(),
  });
  const address = (path: string): string => url + path;
  const acts = new Acts({ ...base, views, triggers, delivery, subscriptions, responseUrls, address });
  return {
    url,
    apiUrl: `${url}/api/`,
    botUser: bot.botUser,
    messages: chat.messages,
    updates: chat.updates,
    requests: api.requests,
    rateLimited: rates?.limited ?? [],
    responseUrlPosts: responseUrls.posts,
    socket,
    violations: violations.list,
    get muted() {
      return delivery.muted;
    },
    set muted(is) {
      delivery.muted = is;
    },
    pointTo: (to) => {
      requestUrl = to;
    },
    ...doings(acts, new ViewActs({ ...base, views, triggers, delivery })),
    ...worldly(world),
    modals: (user) => views.stack(user),
    modalErrors: (user) => views.errors.get(user) ?? {},
    home: (user) => views.homes.get(user),
    post: (contentType, body, how) => delivery.post(contentType, body, how),
    failNext: (method, failure) => api.failNext(method, failure),
    state: () => stateOf(teamId, world, views),
    settled: () => echoes.settled(),
    assertClean: () => violations.assertNone(),
    close: async () => {
      socket.close();
      await echoes.close();
      await closed(server);
    },
  };
}

function inhabited({ teamId, users = [], channels = [] }: FakeSlackOptions, bot: Bot): World {
  const world = new World(teamId);
  world.addUser({ id: bot.botUser, name: 'signalbox', isBot: true });
  for (const user of users) world.addUser(user);
  for (const channel of channels) world.addChannel(channel);
  return world;
}

interface EchoParts {
  readonly bot: Bot;
  readonly clock: Clock;
  readonly timestamps: Timestamps;
  readonly subscriptions: Subscriptions;
  readonly delivery: Delivery;
  readonly echoes: Echoes;
}

/** Tells the app of what its own bot posted or changed, as Slack does wherever the app hears messages. */
function echoing({ bot, clock, timestamps, subscriptions, delivery, echoes }: EchoParts) {
  return (message: PostedMessage, previous?: PostedMessage): void => {
    if (!subscriptions.hears(subscriptionOf(message.channel))) return;
    const ts = previous === undefined ? message.ts : timestamps.next();
    const event = previous === undefined ? echo(bot, message) : changed(bot, message, previous, ts);
    const seconds = Math.floor(clock.now().getTime() / 1_000);
    const payload = eventCallback(bot, {}, event, `Ev${message.channel}${ts}`, seconds);
    echoes.later((signal) => delivery.send('events_api', payload, { signal, retries: false }));
  };
}

const doings = (acts: Acts, inViews: ViewActs): Doings => ({
  slashCommand: (...args) => acts.slashCommand(...args),
  event: (...args) => acts.event(...args),
  directMessage: (...args) => acts.directMessage(...args),
  say: (...args) => acts.say(...args),
  editMessage: (...args) => acts.editMessage(...args),
  deleteMessage: (...args) => acts.deleteMessage(...args),
  openHome: (...args) => acts.openHome(...args),
  clickButton: (...args) => acts.clickButton(...args),
  clickInHome: (...args) => inViews.clickInHome(...args),
  messageShortcut: (...args) => acts.messageShortcut(...args),
  clickInModal: (...args) => inViews.clickInModal(...args),
  submitModal: (...args) => inViews.submitModal(...args),
  closeModal: (...args) => inViews.closeModal(...args),
});

const worldly = (world: World): Worldly => ({
  addUser: (user) => world.addUser(user),
  deleteUser: (id) => world.deleteUser(id),
  addChannel: (channel) => world.addChannel(channel),
  archive: (id) => world.archive(id),
  removeBot: (id) => world.removeBot(id),
  dmOf: (user) => world.dmOf(user),
  onChange: (listener) => world.onChange(listener),
});
