import { ApiRefusal } from './api-refusal.ts';
import { checkMessage } from './blocks.ts';
import { messageObject, type Metadata, type PostedMessage, type Timestamps } from './messages.ts';
import type { Bot } from './team.ts';
import { isFields, only } from './text-objects.ts';
import type { Violations } from './violations.ts';
import type { World } from './world.ts';

type Params = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;

export interface ChatParts {
  readonly world: World;
  readonly bot: Bot;
  readonly timestamps: Timestamps;
  readonly violations: Violations;
  /** Called with each message that everybody sees, after it was posted or changed. */
  readonly onPosted: (message: PostedMessage, previous?: PostedMessage) => void;
}

/** `chat.*`: what the bot says. */
export class Chat {
  /** What the bot posted, in order, as it stands now. */
  readonly messages: PostedMessage[] = [];
  /** Each message as it stood after an update. */
  readonly updates: PostedMessage[] = [];
  readonly #parts: ChatParts;

  constructor(parts: ChatParts) {
    this.#parts = parts;
  }

  post(params: Params): Answer {
    const { world, onPosted } = this.#parts;
    const channel = this.#conversation(String(params['channel']));
    const message = this.#message('chat.postMessage', channel, params);
    this.messages.push(message);
    world.add(message);
    onPosted(message);
    return { ok: true, channel, ts: message.ts, message: messageObject(message, this.#parts.bot) };
  }

  postEphemeral(params: Params): Answer {
    const channel = this.#conversation(String(params['channel']));
    const message = this.#message('chat.postEphemeral', channel, params);
    this.#parts.world.add({ ...message, ephemeralFor: String(params['user']) });
    return { ok: true, message_ts: message.ts };
  }

  update(params: Params): Answer {
    const { world, bot, onPosted } = this.#parts;
    const { ts } = params;
    const channel = this.#conversation(String(params['channel']), true);
    const message = world.find(channel, ts);
    if (message === undefined || message.ephemeralFor !== undefined)
      throw new ApiRefusal('message_not_found');
    if (message.user !== bot.botUser) throw new ApiRefusal('cant_update_message');
    const previous = { ...message };
    const content = this.#content('chat.update', params);
    message.text = content.text;
    // Without blocks the message keeps those it has (docs.slack.dev/reference/methods/chat.update).
    if (params['blocks'] !== undefined) message.blocks = content.blocks;
    if (params['metadata'] !== undefined) message.metadata = content.metadata;
    this.updates.push({ ...message });
    world.changed();
    onPosted(message, previous);
    return { ok: true, channel, ts, text: content.text, message: messageObject(message, bot) };
  }

  /**
   * The conversation of an id, which must be open to the bot; a user's is the direct message with the bot.
   * @throws ApiRefusal in Slack's words.
   */
  #conversation(id: string, isUpdate = false): string {
    const { world } = this.#parts;
    if (/^[UW][A-Z0-9]+$/.test(id)) {
      // docs.slack.dev/reference/methods/chat.update: "a DM ID (starts with D) instead of a User ID".
      if (isUpdate) throw new ApiRefusal('channel_not_found', 'chat.update: a user id is no channel');
      return this.#conversation(world.dmOf(id));
    }
    const user = world.userOfDm(id);
    if (user?.deleted === true) throw new ApiRefusal('user_disabled');
    if (user !== undefined) return id;
    const channel = world.channel(id);
    if (channel === undefined) throw new ApiRefusal('channel_not_found');
    if (channel.isArchived) throw new ApiRefusal('is_archived');
    if (!channel.hasBot) throw new ApiRefusal(id.startsWith('G') ? 'channel_not_found' : 'not_in_channel');
    return id;
  }

  #message(method: string, channel: string, params: Params): PostedMessage {
    const { bot, timestamps } = this.#parts;
    const { thread_ts: thread } = params;
    if (thread !== undefined && (typeof thread !== 'string' || !/^\d+\.\d{6}$/.test(thread)))
      throw new ApiRefusal('invalid_arguments', `${method}: thread_ts is no message id`);
    const content = this.#content(method, params);
    return {
      channel,
      ts: timestamps.next(),
      thread_ts: thread,
      user: bot.botUser,
      botName: bot.name,
      ...content,
    };
  }

  #content(method: string, params: Params): Pick<PostedMessage, 'text' | 'blocks' | 'metadata'> {
    // An empty list takes the blocks away; only an update may have one.
    const isEmpty = Array.isArray(params['blocks']) && params['blocks'].length === 0;
    const { blocks, ...rest } = params;
    const errors = checkMessage(isEmpty && method === 'chat.update' ? rest : params);
    for (const error of errors) this.#parts.violations.add(`${method}: ${error}`);
    if (errors.length > 0) throw new ApiRefusal('invalid_blocks');
    const metadata = readMetadata(method, params['metadata']);
    return {
      text: String(params['text']),
      blocks: (blocks ?? []) as PostedMessage['blocks'],
      ...(metadata !== undefined && { metadata }),
    };
  }
}

function readMetadata(method: string, metadata: unknown): Metadata | undefined {
  if (metadata === undefined || (isFields(metadata) && Object.keys(metadata).length === 0)) return undefined;
  if (
    !isFields(metadata) ||
    only(metadata, ['event_type', 'event_payload', 'entities']).length > 0 ||
    typeof metadata['event_type'] !== 'string' ||
    !isFields(metadata['event_payload'])
  )
    throw new ApiRefusal('invalid_metadata_format', `${method}: metadata is not {event_type, event_payload}`);
  return metadata as unknown as Metadata;
}
