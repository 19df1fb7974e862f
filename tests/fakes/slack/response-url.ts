import { randomUUID } from 'node:crypto';
import { MINUTE, type Clock } from '../../../src/domain/clock.ts';
import { checkMessage } from './blocks.ts';
import type { PostedMessage, Timestamps } from './messages.ts';
import type { Bot } from './team.ts';
import type { Violations } from './violations.ts';
import type { World } from './world.ts';

/** Five uses in thirty minutes (docs.slack.dev/interactivity/handling-user-interaction). */
const USES = 5;
const LIFE = 30 * MINUTE;

const FIELDS = new Set([
  'text',
  'blocks',
  'response_type',
  'replace_original',
  'delete_original',
  'thread_ts',
  'metadata',
]);

/** A message in an acknowledgement or to a response_url. */
export interface ResponseMessage extends Pick<PostedMessage, 'text'> {
  readonly blocks?: PostedMessage['blocks'];
  readonly response_type?: string;
  readonly replace_original?: boolean;
  readonly delete_original?: boolean;
  readonly thread_ts?: string;
}

export interface ResponseUrlPost extends ResponseMessage {
  readonly channel: string;
  readonly user: string;
}

interface Handle {
  readonly channel: string;
  readonly user: string;
  readonly until: number;
  /** What `replace_original` and `delete_original` are about. */
  original: PostedMessage | undefined;
  uses: number;
}

export interface ResponseUrlsParts {
  readonly clock: Clock;
  readonly violations: Violations;
  readonly world: World;
  readonly bot: Bot;
  readonly timestamps: Timestamps;
}

/** The addresses that commands and clicks carry for later answers. */
export class ResponseUrls {
  readonly posts: ResponseUrlPost[] = [];
  readonly #handles = new Map<string, Handle>();
  readonly #parts: ResponseUrlsParts;

  constructor(parts: ResponseUrlsParts) {
    this.#parts = parts;
  }

  /** The path of a new one; `original` is the message that was clicked. */
  issue(channel: string, user: string, original?: PostedMessage): string {
    const id = randomUUID();
    const until = this.#parts.clock.now().getTime() + LIFE;
    this.#handles.set(id, { channel, user, until, original, uses: 0 });
    return `/response/${id}`;
  }

  /** Shows the answer that came with the acknowledgement of a command; it costs no use. */
  acknowledged(path: string, body: unknown): void {
    const handle = this.#handles.get(path.replace('/response/', ''));
    if (handle === undefined || typeof body !== 'object' || body === null || !('text' in body)) return;
    if (checkResponse(body).length === 0) this.#show(handle, body as ResponseMessage);
  }

  /** Status and text of the answer to a POST. */
  post(id: string, contentType: string, body: string): { status: number; text: string } {
    const { violations, clock } = this.#parts;
    const handle = this.#handles.get(id);
    if (handle === undefined) return { status: 404, text: 'no_such_response_url' };
    handle.uses += 1;
    if (handle.uses > USES || clock.now().getTime() > handle.until) {
      violations.add('response_url: more than 5 uses, or later than 30 minutes');
      return { status: 404, text: 'used_url' };
    }
    if (!contentType.startsWith('application/json')) violations.add('response_url: not application/json');
    const message = JSON.parse(body) as ResponseMessage;
    const errors = checkResponse(message);
    for (const error of errors) violations.add(`response_url: ${error}`);
    if (errors.length > 0) return { status: 400, text: 'invalid_blocks' };
    this.posts.push({ ...message, channel: handle.channel, user: handle.user });
    this.#show(handle, message);
    return { status: 200, text: 'ok' };
  }

  #show(handle: Handle, message: ResponseMessage): void {
    const { world, bot, timestamps } = this.#parts;
    const { original } = handle;
    const { text, blocks = [], response_type: type, thread_ts } = message;
    if (message.delete_original === true) {
      if (original !== undefined) world.remove(original);
    } else if (message.replace_original === true && original !== undefined) {
      Object.assign(original, { text, blocks });
      world.changed();
    } else {
      const place = { channel: handle.channel, ts: timestamps.next(), thread_ts };
      const author = { user: bot.botUser, botName: bot.name };
      const reader = type === 'in_channel' ? {} : { ephemeralFor: handle.user };
      const shown = { ...place, ...author, text, blocks, ...reader };
      handle.original ??= shown;
      world.add(shown);
    }
  }
}

/** What is wrong with a message in an acknowledgement or to a response_url. */
export function checkResponse(message: object): string[] {
  const unknown = Object.keys(message).filter((name) => !FIELDS.has(name));
  const type = 'response_type' in message ? message.response_type : 'ephemeral';
  const isDeletion = 'delete_original' in message && message.delete_original === true;
  return [
    ...unknown.map((name) => `${name} is not a known field`),
    ...(type === 'ephemeral' || type === 'in_channel' ? [] : ['response_type is unknown']),
    ...(isDeletion ? [] : checkMessage(message)),
  ];
}
