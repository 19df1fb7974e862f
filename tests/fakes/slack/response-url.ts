import { randomUUID } from 'node:crypto';
import { MINUTE, type Clock } from '../../../src/domain/clock.ts';
import { checkMessage } from './blocks.ts';
import type { PostedMessage } from './messages.ts';
import type { Violations } from './violations.ts';
import type { Asked, World } from './world.ts';

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
]);

export interface ResponseUrlPost extends Pick<PostedMessage, 'text' | 'blocks'> {
  readonly channel: string;
  readonly user: string;
  readonly response_type?: string;
  readonly replace_original?: boolean;
  readonly thread_ts?: string;
}

interface Handle extends Asked {
  readonly until: number;
  uses: number;
}

/** The addresses that commands and clicks carry for later answers. */
export class ResponseUrls {
  readonly posts: ResponseUrlPost[] = [];
  readonly #handles = new Map<string, Handle>();
  readonly #clock: Clock;
  readonly #violations: Violations;
  readonly #world: World;

  constructor(clock: Clock, violations: Violations, world: World) {
    this.#world = world;
    this.#clock = clock;
    this.#violations = violations;
  }

  /** The path of a new one. */
  issue(asked: Asked): string {
    const id = randomUUID();
    this.#handles.set(id, { ...asked, until: this.#clock.now().getTime() + LIFE, uses: 0 });
    return `/response/${id}`;
  }

  /** Status and text of the answer to a POST. */
  post(id: string, contentType: string, body: string): { status: number; text: string } {
    const handle = this.#handles.get(id);
    if (handle === undefined) return { status: 404, text: 'no_such_response_url' };
    handle.uses += 1;
    if (handle.uses > USES || this.#clock.now().getTime() > handle.until) {
      this.#violations.add('response_url: more than 5 uses, or later than 30 minutes');
      return { status: 404, text: 'used_url' };
    }
    if (!contentType.startsWith('application/json'))
      this.#violations.add('response_url: not application/json');
    const message = JSON.parse(body) as ResponseUrlPost;
    const errors = checkResponse(message);
    for (const error of errors) this.#violations.add(`response_url: ${error}`);
    if (errors.length > 0) return { status: 400, text: 'invalid_blocks' };
    this.posts.push({ ...message, channel: handle.channel, user: handle.user });
    this.#world.answered(handle, message);
    return { status: 200, text: 'ok' };
  }
}

/** What is wrong with a message in an acknowledgement or to a response_url. */
export function checkResponse(message: object): string[] {
  const unknown = Object.keys(message).filter((name) => !FIELDS.has(name));
  const type = 'response_type' in message ? message.response_type : 'ephemeral';
  return [
    ...unknown.map((name) => `${name} is not a known field`),
    ...(type === 'ephemeral' || type === 'in_channel' ? [] : ['response_type is unknown']),
    ...checkMessage(message),
  ];
}
