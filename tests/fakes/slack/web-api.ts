import type { IncomingHttpHeaders } from 'node:http';
import { checkMessage } from './blocks.ts';
import { type Timestamps, type PostedMessage } from './messages.ts';
import { METHODS } from './methods.ts';
import type { Violations } from './violations.ts';
import { landing, type World } from './world.ts';

/** What the next call of a method gets instead of an answer. */
export interface Failure {
  /** HTTP status; 200 unless told, with `error` as Slack's own word. */
  readonly status?: number;
  /** Seconds, with status 429. */
  readonly retryAfter?: number;
  /** `channel_not_found`, `invalid_auth` … */
  readonly error?: string;
  /** The call has its effect, and the connection breaks before the answer. */
  readonly drop?: boolean;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Record<string, unknown>;
  readonly drop: boolean;
}

export interface ApiRequest {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface WebApiOptions {
  readonly botToken: string;
  readonly appToken: string;
  readonly teamId: string;
  readonly botUser: string;
  readonly botId: string;
  readonly timestamps: Timestamps;
  readonly violations: Violations;
  readonly world: World;
  /** A fresh WebSocket address. */
  readonly openSocket: () => string;
}

/** The strict Web API: token, method, parameters and blocks are checked on every call. */
export class WebApi {
  readonly messages: PostedMessage[] = [];
  readonly updates: PostedMessage[] = [];
  readonly requests: ApiRequest[] = [];
  readonly #options: WebApiOptions;
  readonly #failures = new Map<string, Failure[]>();

  constructor(options: WebApiOptions) {
    this.#options = options;
  }

  failNext(method: string, failure: Failure): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), failure]);
  }

  call(method: string, headers: IncomingHttpHeaders, body: string): ApiAnswer {
    const params = parse(headers['content-type'] ?? '', body);
    this.requests.push({ method, params });
    const failure = this.#failures.get(method)?.shift();
    if (failure !== undefined && !failure.drop) return failed(failure);
    const error = this.#refusal(method, headers.authorization, params);
    const answer = error === undefined ? this.#run(method, params) : { ok: false, error };
    return { status: 200, headers: {}, body: answer, drop: failure?.drop ?? false };
  }

  #refusal(
    method: string,
    authorization: string | undefined,
    params: Record<string, unknown>,
  ): string | undefined {
    const { violations, botToken, appToken } = this.#options;
    const known = METHODS[method];
    if (known === undefined) {
      violations.add(`${method} is not a method the app may use`);
      return 'unknown_method';
    }
    if ('token' in params) violations.add(`${method}: token belongs in the Authorization header`);
    if (authorization !== `Bearer ${known.token === 'bot' ? botToken : appToken}`) return 'invalid_auth';
    const missing = known.required.filter((name) => params[name] === undefined || params[name] === '');
    for (const name of missing) violations.add(`${method}: ${name} is missing`);
    for (const name of Object.keys(params))
      if (!known.required.includes(name) && !known.optional.includes(name))
        violations.add(`${method}: ${name} is not a known parameter`);
    return missing.length > 0 ? 'invalid_arguments' : undefined;
  }

  #run(method: string, params: Record<string, unknown>): Record<string, unknown> {
    const { teamId, botUser, botId, openSocket } = this.#options;
    switch (method) {
      case 'auth.test':
        return {
          ok: true,
          url: 'https://example.slack.com/',
          team: 'Example',
          user: 'signalbox',
          team_id: teamId,
          user_id: botUser,
          bot_id: botId,
        };
      case 'apps.connections.open':
        return { ok: true, url: openSocket() };
      case 'chat.postMessage':
        return this.#post(params);
      case 'conversations.history':
        return this.#history(params, ({ thread_ts }) => thread_ts === undefined);
      case 'conversations.replies':
        return this.#history(params, ({ thread_ts }) => thread_ts === params['ts']);
      default:
        return this.#update(params);
    }
  }

  #post(params: Record<string, unknown>): Record<string, unknown> {
    const { channel, thread_ts: thread } = params;
    if (typeof channel !== 'string' || !/^[CDGU][A-Z0-9]+$/.test(channel))
      return { ok: false, error: 'channel_not_found' };
    if (thread !== undefined && (typeof thread !== 'string' || !/^\d+\.\d{6}$/.test(thread))) {
      this.#options.violations.add('chat.postMessage: thread_ts is no message id');
      return { ok: false, error: 'invalid_arguments' };
    }
    const content = this.#content('chat.postMessage', params);
    if (content === undefined) return { ok: false, error: 'invalid_blocks' };
    const ts = this.#options.timestamps.next();
    const message = {
      channel,
      ts,
      thread_ts: thread,
      ...content,
      ...(params['metadata'] === undefined ? {} : { metadata: params['metadata'] }),
    };
    this.messages.push(message);
    this.#options.world.posted(message);
    return { ok: true, channel, ts, message: { ts, ...content } };
  }

  /** The newest first, as conversations.history has it. */
  #history(params: Record<string, unknown>, isAsked: (message: PostedMessage) => boolean) {
    const { channel, oldest = '0', limit = 100, include_all_metadata: all } = params;
    const found = this.messages
      .filter((message) => message.channel === channel && isAsked(message) && message.ts > String(oldest))
      .map(({ metadata, ts, thread_ts, text, blocks }) => ({
        type: 'message',
        ts,
        thread_ts,
        text,
        blocks,
        ...(String(all) === 'true' && metadata !== undefined && { metadata }),
      }));
    const messages = found.toReversed().slice(0, Number(limit));
    return { ok: true, messages, has_more: messages.length < found.length };
  }

  #update(params: Record<string, unknown>): Record<string, unknown> {
    const { channel, ts } = params;
    const place = typeof channel === 'string' ? landing(channel) : undefined;
    const message = this.messages.find((posted) => landing(posted.channel) === place && posted.ts === ts);
    if (message === undefined) return { ok: false, error: 'message_not_found' };
    const content = this.#content('chat.update', params);
    if (content === undefined) return { ok: false, error: 'invalid_blocks' };
    Object.assign(message, content);
    this.updates.push({ ...message });
    this.#options.world.updated(message);
    return { ok: true, channel, ts, text: content.text };
  }

  #content(
    method: string,
    params: Record<string, unknown>,
  ): Pick<PostedMessage, 'text' | 'blocks'> | undefined {
    const errors = checkMessage(params);
    for (const error of errors) this.#options.violations.add(`${method}: ${error}`);
    if (errors.length > 0) return undefined;
    return { text: String(params['text']), blocks: (params['blocks'] ?? []) as PostedMessage['blocks'] };
  }
}

function failed({ status = 200, retryAfter, error }: Failure): ApiAnswer {
  return {
    status,
    headers: retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) },
    body: { ok: false, error: error ?? (status === 429 ? 'ratelimited' : 'internal_error') },
    drop: false,
  };
}

/** Forms, with JSON in the fields that are lists or objects, or JSON as a whole. */
function parse(contentType: string, body: string): Record<string, unknown> {
  if (contentType.startsWith('application/json')) return JSON.parse(body) as Record<string, unknown>;
  const params: Record<string, unknown> = Object.fromEntries(new URLSearchParams(body));
  for (const name of ['blocks', 'metadata'])
    if (typeof params[name] === 'string') params[name] = JSON.parse(params[name]) as unknown;
  return params;
}
