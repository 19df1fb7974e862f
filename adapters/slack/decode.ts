import { z } from 'zod';
import { type Address, type Body, type Inbound, verified } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { plain, withoutMention } from './text.ts';

/**
 * From a payload that is proven to be Slack's to a message for the pipeline. Each function is only called behind the
 * signature check or on the authenticated socket, which is what makes `verified` true. The sender is the team's and
 * user's id; names are never looked at.
 */
export interface Receiver {
  readonly workspace: string;
  readonly team: string;
  readonly botUser: string;
}

const id = z.string().min(1).max(255);

const slashCommand = z.object({
  trigger_id: id,
  user_id: id,
  channel_id: id,
  text: z.string().default(''),
});

const mention = z.object({
  event_id: id,
  event: z.object({ user: id, channel: id, ts: id, thread_ts: id.optional(), text: z.string().default('') }),
});

const direct = z.object({ event: z.object({ channel_type: z.literal('im') }) });

const click = z.object({
  trigger_id: id,
  user: z.object({ id }),
  channel: z.object({ id }).optional(),
  container: z.object({ channel_id: id.optional(), thread_ts: id.optional() }).default({}),
  message: z.object({ thread_ts: id.optional() }).optional(),
  actions: z.tuple([z.object({ value: z.string() })]).rest(z.unknown()),
});

const inView = z.object({ container: z.object({ type: z.literal('view') }) });

const viewClick = z.object({
  trigger_id: id,
  user: z.object({ id }),
  view: z.object({ id, type: id }),
});

const homeOpened = z.object({ event: z.object({ user: id, tab: z.literal('home') }) });

const invocation = z.object({ command: z.string(), args: z.record(z.string(), z.unknown()) });

/** `/signalbox …`; without words it is a call for help. The answer is the response; later news goes to the channel. */
export function fromSlashCommand(payload: unknown, to: Receiver): Inbound {
  const { trigger_id, user_id, channel_id, text } = parsed(slashCommand, payload);
  const message = inbound(to, user_id, trigger_id, textBody(text), `${channel_id}:${user_id}`);
  return { ...message, origin: { channel: 'slack', to: channel_id, context: { user: user_id } } };
}

/** `@signalbox …`; answered in the message's thread, through the outbox. */
export function fromMention(payload: unknown, to: Receiver): Inbound {
  const { event_id, event } = parsed(mention, payload);
  const thread = event.thread_ts ?? event.ts;
  const body = textBody(withoutMention(event.text, to.botUser));
  const context = { user: event.user };
  const replyTo: Address = { channel: 'slack', to: event.channel, thread, context };
  return { ...inbound(to, event.user, event_id, body, `${event.channel}:${thread}`), replyTo };
}

/**
 * A line in the direct conversation with the bot, with or without its name before it; answered beside it, or in the
 * thread where it stands in one.
 */
export function fromDirectMessage(payload: unknown, to: Receiver): Inbound {
  const { event_id, event } = parsed(mention, payload);
  const { user, channel, thread_ts: thread } = event;
  const body = textBody(withoutMention(event.text, to.botUser));
  const replyTo: Address = { channel: 'slack', to: channel, ...(thread !== undefined && { thread }) };
  return { ...inbound(to, user, event_id, body, `${channel}:${thread ?? user}`), replyTo };
}

/** Whether a `message` event is of a direct conversation with the bot; others are none of its business. */
export const isDirect = (payload: unknown): boolean => direct.safeParse(payload).success;

/** A button that `render` made: its value is the invocation. `thread` is where the message with the button stands. */
export function fromClick(payload: unknown, to: Receiver): { message: Inbound; thread: string | undefined } {
  const { trigger_id, user, channel, container, message: card, actions } = parsed(click, payload);
  const thread = card?.thread_ts ?? container.thread_ts;
  const place = channel?.id ?? container.channel_id ?? user.id;
  const body = readValue(actions[0].value);
  const context = { user: user.id };
  const origin: Address = { channel: 'slack', to: place, ...(thread !== undefined && { thread }), context };
  const message = inbound(to, user.id, trigger_id, body, `${place}:${thread ?? user.id}`);
  return { message: { ...message, origin }, thread };
}

/** Whether a click was on a person's Home or in a window, where there is no conversation to answer in. */
export const isInView = (payload: unknown): boolean => inView.safeParse(payload).success;

/** Where such a click was. */
export interface View {
  readonly user: string;
  readonly id: string;
  readonly isHome: boolean;
  /** Opens one window within three seconds. */
  readonly trigger: string;
}

export function viewOf(payload: unknown): View {
  const { trigger_id: trigger, user, view } = parsed(viewClick, payload);
  return { user: user.id, id: view.id, isHome: view.type === 'home', trigger };
}

/** Who has opened their Home; undefined for the other tabs of the bot's page. */
export const openedHome = (payload: unknown): string | undefined =>
  homeOpened.safeParse(payload).data?.event.user;

/** What somebody's Home shows, asked as that person; `counted` where they did not ask for it themselves just now. */
export function fromHome(user: string, to: Receiver, { counted }: { readonly counted: boolean }): Inbound {
  // It reads only, so there is no key to know a repeat by.
  const { dedupeKey: _, ...message } = inbound(to, user, '', { command: 'home', args: {} }, `home:${user}`);
  return { ...message, ...(counted && { counted }) };
}

/** Events that nobody typed to the bot: other bots' messages, edits, deletions and other subtypes. */
export function isNoise(payload: unknown): boolean {
  const noise = z.object({ event: z.looseObject({}) }).safeParse(payload).data?.event;
  return ['bot_id', 'subtype', 'edited', 'hidden'].some((field) => noise?.[field] !== undefined);
}

function inbound(to: Receiver, user: string, key: string, body: Body, place: string): Inbound {
  return {
    channel: 'slack',
    from: verified({
      workspace: to.workspace,
      channel: 'slack',
      subject: `${to.team}/${user}`,
      assurance: 'slack',
      scopes: ['*'],
    }),
    body,
    dedupeKey: `slack:${to.team}:${key}`,
    conversation: `slack:${place}`,
  };
}

const textBody = (markup: string): Body => ({ text: plain(markup).trim() || 'help' });

function readValue(value: string): Body {
  try {
    return invocation.parse(JSON.parse(value));
  } catch (cause) {
    throw new Refusal('malformed', 'This button is out of date; type the command instead.', { cause });
  }
}

function parsed<T>(schema: z.ZodType<T>, payload: unknown): T {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  throw new Refusal('malformed', 'Slack sent a message that cannot be read; try again.', {
    cause: result.error,
  });
}
