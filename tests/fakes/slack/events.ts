import { messageObject, type PostedMessage } from './messages.ts';
import type { Actor } from './payloads.ts';
import type { Bot, Team } from './team.ts';
import type { SlackView } from './views.ts';

type Payload = Record<string, unknown>;

/** The envelope of the Events API (docs.slack.dev/apis/events-api, "Events"). */
export function eventCallback(
  team: Team,
  { user, team: other }: Partial<Actor>,
  event: Payload,
  eventId: string,
  seconds: number,
): Payload {
  const teamId = other ?? team.teamId;
  return {
    token: 'unused-verification-token',
    team_id: teamId,
    context_team_id: teamId,
    context_enterprise_id: null,
    api_app_id: team.appId,
    event,
    type: 'event_callback',
    event_id: eventId,
    event_time: seconds,
    authorizations: [
      {
        enterprise_id: null,
        team_id: team.teamId,
        user_id: team.botUser,
        is_bot: true,
        is_enterprise_install: false,
      },
    ],
    is_ext_shared_channel: user?.isStranger === true,
    event_context: `4-${eventId}`,
  };
}

interface Said {
  readonly channel: string;
  readonly text: string;
  readonly ts: string;
  readonly thread: string | undefined;
}

/** docs.slack.dev/reference/events/app_mention */
export const mention = (team: Team, actor: Actor, said: Said): Payload => ({
  type: 'app_mention',
  ...typed(team, actor, said),
});

/** docs.slack.dev/reference/events/message.im, and its like for other kinds of conversation */
export const spoken = (team: Team, actor: Actor, said: Said): Payload => ({
  type: 'message',
  ...typed(team, actor, said),
  channel_type: kindOf(said.channel),
});

function typed(team: Team, { user }: Actor, { channel, text, ts, thread }: Said): Payload {
  return {
    user: user.id,
    channel,
    text,
    ts,
    event_ts: ts,
    team: user.isStranger ? user.teamId : team.teamId,
    ...(thread !== undefined && { thread_ts: thread }),
    // Of whom writes from another workspace in a shared channel.
    ...(user.isStranger && { user_team: user.teamId, source_team: user.teamId }),
  };
}

/** What the bot itself posted, as the app is told. */
export const echo = (bot: Bot, message: PostedMessage): Payload => ({
  ...messageObject(message, bot),
  ...placeOf(message.channel, message.ts),
});

/** docs.slack.dev/reference/events/message/message_changed */
export const changed = (bot: Bot, message: PostedMessage, previous: PostedMessage, ts: string): Payload => ({
  type: 'message',
  subtype: 'message_changed',
  hidden: true,
  ts,
  message: messageObject(message, bot),
  previous_message: messageObject(previous, bot),
  ...placeOf(message.channel, ts),
});

/** docs.slack.dev/reference/events/message/message_deleted */
export const deleted = (bot: Bot, message: PostedMessage, ts: string): Payload => ({
  type: 'message',
  subtype: 'message_deleted',
  hidden: true,
  ts,
  deleted_ts: message.ts,
  previous_message: messageObject(message, bot),
  ...placeOf(message.channel, ts),
});

/** docs.slack.dev/reference/events/app_home_opened: with the view, where there was one before. */
export const homeOpened = (
  user: string,
  channel: string,
  view: SlackView | undefined,
  ts: string,
): Payload => ({
  type: 'app_home_opened',
  user,
  channel,
  event_ts: ts,
  tab: 'home',
  ...(view !== undefined && { view }),
});

const KINDS = { C: 'channel', G: 'group', D: 'im' } as const;

/** `channel`, `group` or `im`, by the first letter of a conversation's id. */
const kindOf = (channel: string): string => KINDS[channel.charAt(0) as keyof typeof KINDS];

const placeOf = (channel: string, ts: string): Payload => ({
  channel,
  event_ts: ts,
  channel_type: kindOf(channel),
});

/** The subscription that brings the messages of a conversation. */
export const subscriptionOf = (channel: string): string =>
  ({ C: 'message.channels', G: 'message.groups' })[channel.charAt(0)] ?? 'message.im';
