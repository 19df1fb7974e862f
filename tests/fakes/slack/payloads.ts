import { type Clicked, messageObject, type PostedMessage, withIds } from './messages.ts';
import type { Bot, Team } from './team.ts';
import { isFields } from './text-objects.ts';
import type { SlackView } from './views.ts';
import type { User, World } from './world.ts';

/** Who acts. `team` is another team's id, to be refused. */
export interface Actor {
  readonly user: User;
  readonly team?: string | undefined;
}

export const actorOf = (world: World, user: string, team?: string): Actor => ({
  user: world.user(user) ?? world.addUser({ id: user }),
  team,
});

/** Where, with the name that Slack gives to it. */
export interface Where {
  readonly id: string;
  readonly name: string;
}

interface Answerable {
  readonly triggerId: string;
  readonly responseUrl: string;
}

type Payload = Record<string, unknown>;

const TOKEN = 'unused-verification-token';

/** docs.slack.dev/interactivity/implementing-slash-commands: every value is text. */
export function slashCommand(
  team: Team,
  text: string,
  { user, team: other }: Actor,
  channel: Where,
  { command, triggerId, responseUrl }: Answerable & { command: string },
): Record<string, string> {
  return {
    token: TOKEN,
    team_id: other ?? team.teamId,
    team_domain: 'example',
    channel_id: channel.id,
    channel_name: channel.name,
    user_id: user.id,
    user_name: user.name,
    command,
    text,
    api_app_id: team.appId,
    is_enterprise_install: 'false',
    response_url: responseUrl,
    trigger_id: triggerId,
  };
}

/** What interactions have in common. */
function interaction(team: Team, { user, team: other }: Actor, triggerId: string): Payload {
  const teamId = other ?? team.teamId;
  return {
    token: TOKEN,
    api_app_id: team.appId,
    team: { id: teamId, domain: 'example' },
    user: { id: user.id, username: user.name, name: user.name, team_id: other ?? user.teamId },
    enterprise: null,
    is_enterprise_install: false,
    trigger_id: triggerId,
  };
}

/** What was clicked; Slack says of each plain text whether its `:colons:` are emoji. */
function action({ text, ...clicked }: Clicked, actionTs: string): Payload {
  const label = isFields(text) ? { text: { emoji: true, ...text } } : {};
  return { type: 'button', ...clicked, ...label, action_ts: actionTs };
}

/** docs.slack.dev/reference/interaction-payloads/block_actions-payload, of a message. */
export function blockActions(
  team: Bot,
  message: Omit<PostedMessage, 'user'>,
  clicked: Clicked,
  actor: Actor,
  channel: Where,
  { triggerId, responseUrl, actionTs }: Answerable & { actionTs: string },
): Payload {
  const thread = message.thread_ts === undefined ? {} : { thread_ts: message.thread_ts };
  const isEphemeral = message.ephemeralFor !== undefined;
  const shown = messageObject({ ...message, user: team.botUser, blocks: withIds(message.blocks) }, team);
  return {
    type: 'block_actions',
    ...interaction(team, actor, triggerId),
    channel,
    container: {
      type: 'message',
      message_ts: message.ts,
      channel_id: message.channel,
      is_ephemeral: isEphemeral,
      ...thread,
    },
    // What one person alone was shown, Slack does not keep.
    ...(!isEphemeral && { message: shown }),
    response_url: responseUrl,
    state: { values: {} },
    actions: [action({ block_id: 'b1', ...clicked }, actionTs)],
  };
}

/** The same of a view: no channel, no message, no response_url. */
export function viewActions(
  team: Team,
  view: SlackView,
  clicked: Clicked,
  actor: Actor,
  { triggerId, actionTs }: { triggerId: string; actionTs: string },
): Payload {
  return {
    type: 'block_actions',
    ...interaction(team, actor, triggerId),
    container: { type: 'view', view_id: view.id },
    view,
    actions: [action(clicked, actionTs)],
  };
}

/** docs.slack.dev/reference/interaction-payloads/view-interactions-payload */
export function viewSubmission(team: Team, view: SlackView, actor: Actor, triggerId: string): Payload {
  return { type: 'view_submission', ...interaction(team, actor, triggerId), view, response_urls: [] };
}

/** The same page; nothing can be opened from it. */
export function viewClosed(team: Team, view: SlackView, actor: Actor, isCleared: boolean): Payload {
  const { trigger_id: _, ...common } = interaction(team, actor, '');
  return { type: 'view_closed', ...common, view, is_cleared: isCleared };
}

/** docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload */
export function messageAction(
  team: Team,
  callbackId: string,
  message: Pick<PostedMessage, 'ts' | 'text' | 'user' | 'thread_ts'>,
  actor: Actor,
  channel: Where,
  { triggerId, responseUrl, actionTs }: Answerable & { actionTs: string },
): Payload {
  const { ts, text, user, thread_ts: thread } = message;
  return {
    type: 'message_action',
    ...interaction(team, actor, triggerId),
    callback_id: callbackId,
    action_ts: actionTs,
    message_ts: ts,
    response_url: responseUrl,
    channel,
    message: {
      type: 'message',
      user,
      ts,
      text,
      team: team.teamId,
      ...(thread !== undefined && { thread_ts: thread }),
    },
  };
}
