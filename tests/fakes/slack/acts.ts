import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../src/domain/clock.ts';
import { type Delivery, type Taken, UNHEARD } from './delivery.ts';
import type { DeliveryOptions } from './envelope.ts';
import * as events from './events.ts';
import { type Button, clickOf, type PostedMessage, type Timestamps } from './messages.ts';
import * as payloads from './payloads.ts';
import type { ResponseUrls } from './response-url.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Bot } from './team.ts';
import type { Triggers } from './triggers.ts';
import type { Views } from './views.ts';
import type { World } from './world.ts';

/** Who acts where; `team` is another team's id, to be refused. */
interface ActorOptions extends DeliveryOptions {
  readonly user: string;
  readonly channel: string;
  readonly team?: string;
}

export interface SlashOptions extends ActorOptions {
  readonly triggerId?: string;
  /** `/signalbox` unless told. */
  readonly command?: string;
}

export interface EventOptions extends ActorOptions {
  /** The same id again is the same event, delivered again. */
  readonly eventId?: string;
  readonly thread?: string;
  /** More fields of the inner event, or others instead: `{ bot_id: 'B9' }`. */
  readonly inner?: Record<string, unknown>;
}

export type DirectOptions = Omit<EventOptions, 'channel'>;

export interface InteractionOptions extends DeliveryOptions {
  readonly triggerId?: string;
  readonly team?: string;
}

/** What a button stands on: a posted message, or an ephemeral answer with its channel. */
export type Clickable = Pick<PostedMessage, 'channel' | 'text' | 'blocks'> & Partial<PostedMessage>;

/** A delivery, and the place of the message that was typed. */
export interface Said extends Taken, Spot {}

/** The place of a message. */
export interface Spot {
  readonly channel: string;
  readonly ts: string;
}

export interface ActsParts {
  readonly bot: Bot;
  readonly clock: Clock;
  readonly world: World;
  readonly views: Views;
  readonly timestamps: Timestamps;
  readonly triggers: Triggers;
  readonly delivery: Delivery;
  readonly subscriptions: Subscriptions;
  readonly responseUrls: ResponseUrls;
  /** The address of a path. */
  readonly address: (path: string) => string;
}

/** What people do in Slack's conversations: it shows in the world, and the app is told. */
export class Acts {
  readonly #parts: ActsParts;
  readonly #events = new Map<string, string>();

  constructor(parts: ActsParts) {
    this.#parts = parts;
  }

  async slashCommand(text: string, options: SlashOptions): Promise<Taken> {
    const { bot, responseUrls, delivery, subscriptions, address } = this.#parts;
    const { channel, user, command = '/signalbox' } = options;
    const actor = payloads.actorOf(this.#parts.world, user, options.team);
    if (!subscriptions.hasCommands) return UNHEARD;
    const path = responseUrls.issue(channel, user);
    const keys = { command, triggerId: this.#trigger(user, options), responseUrl: address(path) };
    const payload = payloads.slashCommand(bot, text, actor, this.#where(channel), keys);
    const taken = await delivery.send('slash_commands', payload, options);
    if (taken.status === 200) responseUrls.acknowledged(path, taken.body);
    return taken;
  }

  /** Somebody mentions the bot: `text` is raw markup. */
  async event(text: string, options: EventOptions): Promise<Said> {
    return this.#say('app_mention', events.mention, text, options);
  }

  async directMessage(text: string, options: DirectOptions): Promise<Said> {
    const channel = this.#parts.world.dmOf(options.user);
    return this.#say('message.im', events.spoken, text, { ...options, channel });
  }

  /** People talk to one another: the app hears of it where it subscribed to the messages of the conversation. */
  async say(text: string, options: EventOptions): Promise<Said> {
    return this.#say(events.subscriptionOf(options.channel), events.spoken, text, options);
  }

  async editMessage({ channel, ts }: Spot, text: string, options: DeliveryOptions = {}): Promise<Taken> {
    const { world, bot, timestamps } = this.#parts;
    const message = this.#typed(channel, ts);
    const previous = { ...message };
    const now = timestamps.next();
    Object.assign(message, { text, edited: { user: message.user, ts: now } });
    world.changed();
    return this.#tell(channel, events.changed(bot, message, previous, now), options);
  }

  async deleteMessage({ channel, ts }: Spot, options: DeliveryOptions = {}): Promise<Taken> {
    const { world, bot, timestamps } = this.#parts;
    const message = this.#typed(channel, ts);
    world.remove(message);
    return this.#tell(channel, events.deleted(bot, message, timestamps.next()), options);
  }

  async openHome(user: string, options: DeliveryOptions & { eventId?: string } = {}): Promise<Taken> {
    const { world, views, timestamps, subscriptions, delivery, bot } = this.#parts;
    const actor = payloads.actorOf(world, user);
    if (!subscriptions.hears('app_home_opened')) return UNHEARD;
    const event = events.homeOpened(user, world.dmOf(user), views.homes.get(user), timestamps.next());
    const payload = events.eventCallback(bot, actor, event, eventIdOf(options), this.#seconds());
    return delivery.send('events_api', payload, options);
  }

  async clickButton(
    message: Clickable,
    button: Button,
    user: string,
    options: InteractionOptions = {},
  ): Promise<Taken> {
    const { bot, world, timestamps, responseUrls, delivery, address } = this.#parts;
    const { channel, ts } = message;
    const original = ts === undefined ? undefined : world.find(channel, ts);
    // What has no id was shown to one person alone.
    const reader = message.ephemeralFor ?? original?.ephemeralFor ?? (ts === undefined ? user : undefined);
    const { user: _, ...rest } = message;
    const payload = payloads.blockActions(
      bot,
      {
        ...rest,
        ts: ts ?? timestamps.next(),
        thread_ts: message.thread_ts,
        ...(reader !== undefined && { ephemeralFor: reader }),
      },
      clickOf(message.blocks, button),
      payloads.actorOf(this.#parts.world, user, options.team),
      this.#where(channel),
      {
        triggerId: this.#trigger(user, options),
        responseUrl: address(responseUrls.issue(channel, user, original)),
        actionTs: timestamps.next(),
      },
    );
    return delivery.send('interactive', payload, options);
  }

  async messageShortcut(
    callbackId: string,
    message: Pick<PostedMessage, 'channel' | 'ts' | 'text' | 'user'> & { thread_ts?: string | undefined },
    actingUser: string,
    options: InteractionOptions = {},
  ): Promise<Taken> {
    const { bot, world, timestamps, responseUrls, delivery, subscriptions, address } = this.#parts;
    const { channel, ts } = message;
    if (!subscriptions.hasCommands) return UNHEARD;
    const payload = payloads.messageAction(
      bot,
      callbackId,
      { ...message, thread_ts: message.thread_ts },
      payloads.actorOf(world, actingUser, options.team),
      this.#where(channel),
      {
        triggerId: this.#trigger(actingUser, options),
        responseUrl: address(responseUrls.issue(channel, actingUser, world.find(channel, ts))),
        actionTs: timestamps.next(),
      },
    );
    return delivery.send('interactive', payload, options);
  }

  async #say(
    subscription: string,
    build: typeof events.mention,
    text: string,
    options: EventOptions,
  ): Promise<Said> {
    const { bot, world, subscriptions, delivery } = this.#parts;
    const { user, channel, thread, inner } = options;
    const actor = payloads.actorOf(this.#parts.world, user, options.team);
    const eventId = eventIdOf(options);
    const isNew = !this.#events.has(eventId);
    const ts = this.#events.get(eventId) ?? this.#ts(inner?.['ts']);
    this.#events.set(eventId, ts);
    if (isNew) world.add({ channel, ts, thread_ts: thread, user, text, blocks: [] });
    if (!subscriptions.hears(subscription)) return { ...UNHEARD, channel, ts };
    const event = { ...build(bot, actor, { channel, text, ts, thread }), ...inner };
    const payload = events.eventCallback(bot, actor, event, eventId, this.#seconds());
    return { ...(await delivery.send('events_api', payload, options)), channel, ts };
  }

  /** Something happened to a message in a conversation. */
  async #tell(channel: string, event: Record<string, unknown>, options: DeliveryOptions): Promise<Taken> {
    const { bot, subscriptions, delivery } = this.#parts;
    if (!subscriptions.hears(events.subscriptionOf(channel))) return UNHEARD;
    const payload = events.eventCallback(bot, {}, event, eventIdOf({}), this.#seconds());
    return delivery.send('events_api', payload, options);
  }

  #typed(channel: string, ts: string): PostedMessage {
    const message = this.#parts.world.find(channel, ts);
    if (message === undefined) throw new Error(`No message ${ts} in ${channel}.`);
    return message;
  }

  #where(id: string): payloads.Where {
    const channel = this.#parts.world.channel(id);
    if (channel === undefined) return { id, name: 'directmessage' };
    return { id, name: id.startsWith('G') ? 'privategroup' : channel.name };
  }

  #trigger(user: string, { triggerId }: { triggerId?: string }): string {
    return this.#parts.triggers.issue(user, triggerId);
  }

  #ts(wanted: unknown): string {
    return typeof wanted === 'string' ? wanted : this.#parts.timestamps.next();
  }

  #seconds(): number {
    return Math.floor(this.#parts.clock.now().getTime() / 1_000);
  }
}

const eventIdOf = ({ eventId }: { eventId?: string }): string => eventId ?? `Ev${randomUUID()}`;
