import { z } from 'zod';
import { type Address, type Body, type Inbound, verified } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { read, withoutMention } from './rendering/text.ts';

/**
 * From a payload that is proven to be Slack's to a message for the pipeline. Each function is only called behind the
 * signature check or on the authenticated socket, which is what makes `verified` true. The sender is the team's and
 * user's id, of their own team where that is another one; names are never looked at.
 */
export interface Receiver {
  readonly workspace: string;
  readonly team: string;
  readonly botUser: string;
}

export const id = z.string().min(1).max(255);

const slashCommand = z.object({
  trigger_id: id,
  user_id: id,
  channel_id: id,
  text: z.string().default(''),
});

export const team = id.nullish();

const mention = z.object({
  event_id: id,
  event: z.object({
    user: id,
    channel: id,
    ts: id,
    thread_ts: id.optional(),
    text: z.string().default(''),
    bot_id: id.optional(),
    // All of them are of whoever wrote, in a channel that is shared with another team.
    user_team: team,
    source_team: team,
    team,
  }),
});

const direct = z.object({ event: z.object({ channel_type: z.literal('im') }) });

export const click = z.object({
  trigger_id: id,
  user: z.object({ id, team_id: team }),
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
  const sender = { user: user_id };
  const message = inbound(to, sender, trigger_id, textBody(to, text), `${channel_id}:${user_id}`);
  return { ...message, origin: { channel: 'slack', to: channel_id, context: { user: user_id } } };
}

/** `@signalbox …`; answered in the message's thread, through the outbox. */
export function fromMention(payload: unknown, to: Receiver): Inbound {
  const { event_id, event } = parsed(mention, payload);
  const thread = event.thread_ts ?? event.ts;
  const said = textBody(to, withoutMention(event.text, to.botUser));
  const context = { user: event.user };
  const replyTo: Address = { channel: 'slack', to: event.channel, thread, context };
  return { ...inbound(to, writer(event), event_id, said, `${event.channel}:${thread}`), replyTo };
}

/**
 * A line in the direct conversation with the bot, with or without its name before it; answered beside it, or in the
 * thread where it stands in one.
 */
export function fromDirectMessage(payload: unknown, to: Receiver): Inbound {
  const { event_id, event } = parsed(mention, payload);
  const { user, channel, thread_ts: thread } = event;
  const said = textBody(to, withoutMention(event.text, to.botUser));
  const replyTo: Address = { channel: 'slack', to: channel, ...(thread !== undefined && { thread }) };
  return { ...inbound(to, writer(event), event_id, said, `${channel}:${thread ?? user}`), replyTo };
}

/** Whether a `message` event is of a direct conversation with the bot; others are none of its business. */
export const isDirect = (payload: unknown): boolean => direct.safeParse(payload).success;

/** A button that `render` made: its value is the invocation. `thread` is where the message with the button stands. */
export function fromClick(payload: unknown, to: Receiver): { message: Inbound; thread: string | undefined } {
  const clicked = parsed(click, payload);
  const { trigger_id, user, actions } = clicked;
  const { channel: place, thread } = placeOf(clicked);
  const said = { body: readValue(actions[0].value) };
  const sender = { user: user.id, team: user.team_id };
  const context = { user: user.id };
  const origin: Address = { channel: 'slack', to: place, ...(thread !== undefined && { thread }), context };
  const message = inbound(to, sender, trigger_id, said, `${place}:${thread ?? user.id}`);
  return { message: { ...message, origin }, thread };
}

/** Where the message with the button stands; the person where it is no message. */
export const placeOf = ({ user, channel, container, message }: Omit<z.output<typeof click>, 'actions'>) => ({
  channel: channel?.id ?? container.channel_id ?? user.id,
  thread: message?.thread_ts ?? container.thread_ts,
});

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

const HOME: Body = { command: 'home', args: {} };

/** What somebody's Home shows, asked as that person; `counted` where they did not ask for it themselves just now. */
export function fromHome(user: string, to: Receiver, { counted }: { readonly counted: boolean }): Inbound {
  // It reads only, so there is no key to know a repeat by.
  const { dedupeKey: _, ...message } = inbound(to, { user }, '', { body: HOME }, `home:${user}`);
  return { ...message, ...(counted && { counted }) };
}

/**
 * Events that nobody typed to the bot: edits, deletions and other subtypes, what an app without a user of its own says, and
 * Slackbot, who repeats what anybody told it to.
 */
export function isNoise(payload: unknown): boolean {
  const event = z.object({ event: z.looseObject({}) }).safeParse(payload).data?.event;
  if (['subtype', 'edited', 'hidden'].some((field) => event?.[field] !== undefined)) return true;
  return event?.['user'] === 'USLACKBOT' || (event?.['bot_id'] !== undefined && event['user'] === undefined);
}

interface Sender {
  readonly user: string;
  /** Their own team, where the payload says it. */
  readonly team?: string | null | undefined;
  /** An app wrote it. */
  readonly isBot?: boolean;
}

const writer = (event: z.output<typeof mention>['event']): Sender => ({
  user: event.user,
  team: event.user_team ?? event.source_team ?? event.team,
  isBot: event.bot_id !== undefined,
});

type Said = Pick<Inbound, 'body' | 'people' | 'places'>;

export function inbound(
  to: Receiver,
  { user, team: own, isBot }: Sender,
  key: string,
  said: Said,
  place: string,
) {
  return {
    channel: 'slack',
    from: verified({
      workspace: to.workspace,
      channel: 'slack',
      subject: `${own ?? to.team}/${user}`,
      assurance: 'slack',
      scopes: ['*'],
      ...(isBot === true && { outsider: 'bot' }),
    }),
    ...said,
    dedupeKey: `slack:${to.team}:${key}`,
    conversation: `slack:${place}`,
  } satisfies Inbound;
}

/** The text, with the people and channels that it means by id; people are taken to be of our team. */
function textBody(to: Receiver, markup: string): Said {
  const { text, people, places } = read(markup);
  return {
    body: { text: text.trim() || 'help' },
    ...(people.size > 0 && {
      people: new Map([...people].map(([shown, user]) => [shown, `${to.team}/${user}`])),
    }),
    ...(places.size > 0 && {
      places: new Map([...places].map(([name, channel]) => [name, `slack:${channel}`])),
    }),
  };
}

function readValue(value: string): Body {
  try {
    return invocation.parse(JSON.parse(value));
  } catch (cause) {
    throw new Refusal('malformed', 'This button is out of date; type the command instead.', { cause });
  }
}

export function parsed<T>(schema: z.ZodType<T>, payload: unknown): T {
  const result = schema.safeParse(payload);
  if (result.success) return result.data;
  throw new Refusal('malformed', 'Slack sent a message that cannot be read; try again.', {
    cause: result.error,
  });
}
