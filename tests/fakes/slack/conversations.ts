import { ApiRefusal } from './api-refusal.ts';
import { messageObject, type PostedMessage } from './messages.ts';
import type { Bot } from './team.ts';
import type { World } from './world.ts';

type Params = Readonly<Record<string, unknown>>;
type Answer = Record<string, unknown>;

/** docs.slack.dev/reference/methods/conversations.history */
const PAGE = { usual: 100, most: 999 } as const;

/** `conversations.*`: what was said, and where to speak to one person. */
export class Conversations {
  readonly #world: World;
  readonly #bot: Bot;

  constructor(world: World, bot: Bot) {
    this.#world = world;
    this.#bot = bot;
  }

  /** The newest first, without answers in threads. */
  history(params: Params): Answer {
    const all = this.#seen(String(params['channel'])).filter(
      ({ ts, thread_ts: thread }) => thread === undefined || thread === ts,
    );
    return { ...this.#page(all.toReversed(), params), pin_count: 0 };
  }

  /** A message and the answers to it, the oldest first. */
  replies(params: Params): Answer {
    const { ts: root } = params;
    const all = this.#seen(String(params['channel'])).filter(
      ({ ts, thread_ts: thread }) => ts === root || thread === root,
    );
    if (all.length === 0) throw new ApiRefusal('thread_not_found');
    return this.#page(all, params);
  }

  /** The direct message with one user. */
  open({ users }: Params): Answer {
    const id = String(users);
    if (id.includes(',')) throw new ApiRefusal('too_many_users', 'conversations.open: one user, please');
    const user = this.#world.user(id);
    if (user === undefined) throw new ApiRefusal('user_not_found');
    if (user.deleted) throw new ApiRefusal('user_disabled');
    return { ok: true, channel: { id: this.#world.dmOf(id) } };
  }

  /** @throws ApiRefusal where the bot cannot look in. An archived channel can still be read. */
  #seen(id: string): PostedMessage[] {
    const channel = this.#world.channel(id);
    if (channel === undefined && this.#world.userOfDm(id) === undefined)
      throw new ApiRefusal('channel_not_found');
    if (channel?.hasBot === false)
      throw new ApiRefusal(id.startsWith('G') ? 'channel_not_found' : 'not_in_channel');
    return this.#world.messages.filter(
      (message) => message.channel === id && message.ephemeralFor === undefined,
    );
  }

  #page(all: readonly PostedMessage[], params: Params): Answer {
    const isWithin = within(params);
    const found = all.filter(({ ts }) => isWithin(ts));
    const start = params['cursor'] === undefined ? 0 : Number(params['cursor']);
    const limit = params['limit'] === undefined ? PAGE.usual : Number(params['limit']);
    if (!Number.isInteger(start)) throw new ApiRefusal('invalid_cursor');
    if (!Number.isInteger(limit) || limit < 1 || limit > PAGE.most) throw new ApiRefusal('invalid_limit');
    const isMore = found.length > start + limit;
    const shows = isTrue(params['include_all_metadata']);
    return {
      ok: true,
      messages: found.slice(start, start + limit).map((message) => ({
        ...messageObject(message, this.#bot),
        ...(shows && message.metadata !== undefined && { metadata: message.metadata }),
      })),
      has_more: isMore,
      ...(isMore && { response_metadata: { next_cursor: String(start + limit) } }),
    };
  }
}

/** `oldest` and `latest` leave out the messages of these very times, unless `inclusive`. */
function within({ oldest, latest, inclusive }: Params): (ts: string) => boolean {
  const [from, to] = [oldest ?? 0, latest ?? Infinity].map(Number);
  if (from === undefined || to === undefined || Number.isNaN(from)) throw new ApiRefusal('invalid_ts_oldest');
  if (Number.isNaN(to)) throw new ApiRefusal('invalid_ts_latest');
  return (ts) => {
    const time = Number(ts);
    return isTrue(inclusive) ? time >= from && time <= to : time > from && time < to;
  };
}

/** Booleans come as JSON, or as a form's text. */
const isTrue = (value: unknown): boolean => value === true || value === 'true' || value === '1';
