import { findButton, type PostedMessage } from './messages.ts';

/** The team as payloads name it. */
export interface Team {
  readonly teamId: string;
  readonly botUser: string;
  readonly appId: string;
}

export interface Actor {
  readonly user: string;
  readonly channel: string;
  /** Another team's id, to be refused. */
  readonly team?: string;
}

type Payload = Record<string, unknown>;

/** docs.slack.dev/interactivity/implementing-slash-commands: every value is text. */
export function slashCommand(
  team: Team,
  text: string,
  actor: Actor & { triggerId: string; responseUrl: string; command: string },
): Record<string, string> {
  return {
    token: 'unused-verification-token',
    team_id: actor.team ?? team.teamId,
    team_domain: 'example',
    channel_id: actor.channel,
    channel_name: 'general',
    user_id: actor.user,
    user_name: 'somebody',
    command: actor.command,
    text,
    api_app_id: team.appId,
    is_enterprise_install: 'false',
    response_url: actor.responseUrl,
    trigger_id: actor.triggerId,
  };
}

/** docs.slack.dev/reference/events/app_mention. `extra` adds to or overrides the inner event's fields. */
export function event(team: Team, actor: Actor, inner: Payload, eventId: string, seconds: number): Payload {
  return {
    token: 'unused-verification-token',
    team_id: actor.team ?? team.teamId,
    api_app_id: team.appId,
    event: { type: 'app_mention', user: actor.user, channel: actor.channel, team: team.teamId, ...inner },
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
    is_ext_shared_channel: false,
  };
}

/** docs.slack.dev/reference/interaction-payloads/block_actions-payload */
export function blockActions(
  team: Team,
  message: Pick<PostedMessage, 'channel' | 'ts' | 'thread_ts' | 'text' | 'blocks'>,
  wanted: string | { action_id: string; value?: string },
  actor: Actor & { triggerId: string; responseUrl: string; actionTs: string },
): Payload {
  const teamId = actor.team ?? team.teamId;
  const button = typeof wanted === 'string' ? findButton(message, wanted) : wanted;
  const thread = message.thread_ts === undefined ? {} : { thread_ts: message.thread_ts };
  return {
    type: 'block_actions',
    token: 'unused-verification-token',
    api_app_id: team.appId,
    team: { id: teamId, domain: 'example' },
    user: { id: actor.user, username: 'somebody', name: 'somebody', team_id: teamId },
    channel: { id: message.channel, name: 'general' },
    container: {
      type: 'message',
      message_ts: message.ts,
      channel_id: message.channel,
      is_ephemeral: false,
      ...thread,
    },
    message: {
      type: 'message',
      user: team.botUser,
      ts: message.ts,
      text: message.text,
      blocks: message.blocks,
      ...thread,
    },
    enterprise: null,
    is_enterprise_install: false,
    trigger_id: actor.triggerId,
    response_url: actor.responseUrl,
    state: { values: {} },
    actions: [{ type: 'button', block_id: 'b1', action_ts: actor.actionTs, ...button }],
  };
}
