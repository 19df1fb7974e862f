import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../src/domain/clock.ts';
import { ApiRefusal } from './api-refusal.ts';
import { type Delivery, type Taken, UNHEARD } from './delivery.ts';
import type { DeliveryOptions } from './envelope.ts';
import * as events from './events.ts';
import { type Clicked, findButton, type PostedMessage, type Timestamps } from './messages.ts';
import { filled, inputBlocks, type ModalValues } from './modal-values.ts';
import * as payloads from './payloads.ts';
import type { ResponseUrls } from './response-url.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Bot } from './team.ts';
import { isFields } from './text-objects.ts';
import type { Triggers } from './triggers.ts';
import type { Views } from './views.ts';
import type { Violations } from './violations.ts';
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

/** A button by its action_id, label or command's name, or one that is not there. */
type Button = string | { action_id: string; value?: string };

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
  readonly violations: Violations;
  readonly responseUrls: ResponseUrls;
  /** The address of a path. */
  readonly address: (path: string) => string;
}

/** What people do in Slack: it shows in the world, and the app is told. */
export class Acts {
  readonly #parts: ActsParts;
  readonly #events = new Map<string, string>();

  constructor(parts: ActsParts) {
    this.#parts = parts;
  }

  async slashCommand(text: string, options: SlashOptions): Promise<Taken> {
    const { bot, responseUrls, delivery, subscriptions, address } = this.#parts;
    const { channel, user, command = '/signalbox' } = options;
    const actor = this.#actor(user, options.team);
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
    return this.#say('message.im', events.directMessage, text, { ...options, channel });
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
    const actor = this.#actor(user);
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
    const clicked: Clicked = typeof button === 'string' ? findButton(message.blocks, button) : button;
    const { user: _, ...rest } = message;
    const payload = payloads.blockActions(
      bot,
      {
        ...rest,
        ts: ts ?? timestamps.next(),
        thread_ts: message.thread_ts,
        ...(reader !== undefined && { ephemeralFor: reader }),
      },
      typed(clicked),
      this.#actor(user, options.team),
      this.#where(channel),
      {
        triggerId: this.#trigger(user, options),
        responseUrl: address(responseUrls.issue(channel, user, original)),
        actionTs: timestamps.next(),
      },
    );
    return delivery.send('interactive', payload, options);
  }

  async clickInHome(user: string, button: Button, options: InteractionOptions = {}): Promise<Taken> {
    const { bot, views, timestamps, delivery } = this.#parts;
    const view = views.homes.get(user);
    if (view === undefined) throw new Error(`Nothing was published to the Home of ${user}.`);
    const clicked: Clicked = typeof button === 'string' ? findButton(view.blocks, button) : button;
    const keys = { triggerId: this.#trigger(user, options), actionTs: timestamps.next() };
    const actor = this.#actor(user, options.team);
    const payload = payloads.viewActions(bot, view, typed(clicked), actor, keys);
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
      this.#actor(actingUser, options.team),
      this.#where(channel),
      {
        triggerId: this.#trigger(actingUser, options),
        responseUrl: address(responseUrls.issue(channel, actingUser, world.find(channel, ts))),
        actionTs: timestamps.next(),
      },
    );
    return delivery.send('interactive', payload, options);
  }

  /** @throws Error where no modal is open, or Slack would not let a person submit it with these values. */
  async submitModal(user: string, values: ModalValues, options: InteractionOptions = {}): Promise<Taken> {
    const { bot, views, delivery } = this.#parts;
    const top = views.stack(user).at(-1);
    if (top === undefined) throw new Error(`No modal is open for ${user}.`);
    if (top.submit === null) throw new Error('The modal has no submit button.');
    const view = views.keep(user, filled(top.blocks, values)) ?? top;
    const actor = this.#actor(user, options.team);
    const payload = payloads.viewSubmission(bot, view, actor, this.#trigger(user, options));
    const taken = await delivery.send('interactive', payload, options);
    if (taken.status === 200) this.#applyAck(user, taken.body);
    return taken;
  }

  /** A person closes the topmost modal; the app is told where it asked for that. */
  async closeModal(user: string, options: InteractionOptions = {}): Promise<Taken> {
    const { bot, views, delivery } = this.#parts;
    const top = views.stack(user).at(-1);
    if (top === undefined) throw new Error(`No modal is open for ${user}.`);
    views.close(user, top.clear_on_close);
    if (!top.notify_on_close) return UNHEARD;
    const payload = payloads.viewClosed(bot, top, this.#actor(user, options.team), top.clear_on_close);
    return delivery.send('interactive', payload, options);
  }

  /** docs.slack.dev/surfaces/modals: what the acknowledgement of a submission does. */
  #applyAck(user: string, body: unknown): void {
    const { views, violations } = this.#parts;
    const action = isFields(body) ? body : {};
    try {
      switch (action['response_action']) {
        case 'clear':
          return views.close(user, true);
        case 'errors':
          return this.#showErrors(user, action['errors']);
        case 'update':
          return views.updateTop(user, action['view']);
        case 'push':
          return views.push(user, action['view']);
        default:
          return views.close(user);
      }
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      if (error.violation !== undefined) violations.add(error.violation);
    }
  }

  #showErrors(user: string, errors: unknown): void {
    const { views, violations } = this.#parts;
    if (!isFields(errors)) return;
    const known = inputBlocks(views.stack(user).at(-1)?.blocks ?? []);
    for (const [block, text] of Object.entries(errors)) {
      if (!known.includes(block))
        violations.add(`view_submission: errors name ${block}, which is no input block`);
      if (typeof text !== 'string' || text === '')
        violations.add(`view_submission: the error of ${block} has no text`);
    }
    views.setErrors(user, errors as Record<string, string>);
  }

  async #say(
    subscription: string,
    build: typeof events.mention,
    text: string,
    options: EventOptions,
  ): Promise<Said> {
    const { bot, world, subscriptions, delivery } = this.#parts;
    const { user, channel, thread, inner } = options;
    const actor = this.#actor(user, options.team);
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

  #actor(user: string, team?: string): payloads.Actor {
    const { world } = this.#parts;
    return { user: world.user(user) ?? world.addUser({ id: user }), team };
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

/** What was chosen of a list is not a value of its own. */
function typed(clicked: Clicked): Clicked {
  if (clicked['selected_option'] === undefined) return clicked;
  const { value: _, ...rest } = clicked;
  return rest;
}
