import type { IncomingHttpHeaders } from 'node:http';
import { ApiRefusal } from './api-refusal.ts';
import type { Chat } from './chat.ts';
import type { Conversations } from './conversations.ts';
import { type Method, METHODS, scopeOf } from './methods.ts';
import type { Rates } from './rates.ts';
import type { Bot } from './team.ts';
import type { Users } from './users.ts';
import type { Views } from './views.ts';
import type { Violations } from './violations.ts';

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
  /** The bot's; a call without its scope is refused. */
  readonly scopes: readonly string[];
  readonly bot: Bot;
  readonly violations: Violations;
  /** Counts the calls; without, none comes too soon. */
  readonly rates: Rates | undefined;
  readonly chat: Chat;
  readonly conversations: Conversations;
  readonly users: Users;
  readonly views: Views;
  /** A fresh WebSocket address. */
  readonly openSocket: () => string;
}

type Params = Readonly<Record<string, unknown>>;

/** The strict Web API: token, scope, rate, method and parameters are checked on every call. */
export class WebApi {
  readonly requests: ApiRequest[] = [];
  readonly #options: WebApiOptions;
  readonly #failures = new Map<string, Failure[]>();
  readonly #handlers: Readonly<Record<string, (params: Params) => Record<string, unknown>>>;

  constructor(options: WebApiOptions) {
    const { chat, conversations, users, views, openSocket } = options;
    this.#options = options;
    this.#handlers = {
      'auth.test': () => this.#whoami(),
      'apps.connections.open': () => ({ ok: true, url: openSocket() }),
      'chat.postMessage': (params) => chat.post(params),
      'chat.postEphemeral': (params) => chat.postEphemeral(params),
      'chat.update': (params) => chat.update(params),
      'conversations.history': (params) => conversations.history(params),
      'conversations.replies': (params) => conversations.replies(params),
      'conversations.open': (params) => conversations.open(params),
      'users.info': (params) => users.info(params),
      'users.list': (params) => users.list(params),
      'views.open': (params) => views.open(params),
      'views.update': (params) => views.update(params),
      'views.publish': (params) => views.publish(params),
    };
  }

  failNext(method: string, failure: Failure): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), failure]);
  }

  call(method: string, headers: IncomingHttpHeaders, body: string): ApiAnswer {
    const params = parse(headers['content-type'] ?? '', body);
    this.requests.push({ method, params });
    const failure = this.#failures.get(method)?.shift();
    if (failure !== undefined && !failure.drop) return failed(failure);
    const wait = this.#options.rates?.take(method, params['channel']);
    if (wait !== undefined) return failed({ status: 429, retryAfter: wait });
    const answer = this.#answer(method, headers.authorization, params);
    return { status: 200, headers: {}, body: answer, drop: failure?.drop ?? false };
  }

  #answer(method: string, authorization: string | undefined, params: Params): Record<string, unknown> {
    const { violations, scopes } = this.#options;
    try {
      const known = this.#admitted(method, authorization, params);
      const needed = scopeOf(known, params['channel']);
      if (needed !== undefined && !scopes.includes(needed)) {
        violations.add(`${method}: the scope ${needed} is missing`);
        return { ok: false, error: 'missing_scope', needed, provided: scopes.join(',') };
      }
      return this.#handlers[method]?.(params) ?? { ok: false, error: 'unknown_method' };
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      if (error.violation !== undefined) violations.add(error.violation);
      return { ok: false, error: error.error };
    }
  }

  /** The method, where it may be called so. @throws ApiRefusal */
  #admitted(method: string, authorization: string | undefined, params: Params): Method {
    const { violations, botToken, appToken } = this.#options;
    const known = METHODS[method];
    if (known === undefined)
      throw new ApiRefusal('unknown_method', `${method} is not a method the app may use`);
    if ('token' in params) violations.add(`${method}: token belongs in the Authorization header`);
    if (authorization !== `Bearer ${known.token === 'bot' ? botToken : appToken}`)
      throw new ApiRefusal('invalid_auth');
    const missing = known.required.filter((name) => params[name] === undefined || params[name] === '');
    for (const name of missing) violations.add(`${method}: ${name} is missing`);
    for (const name of Object.keys(params))
      if (!known.required.includes(name) && !known.optional.includes(name))
        violations.add(`${method}: ${name} is not a known parameter`);
    if (missing.length > 0) throw new ApiRefusal('invalid_arguments');
    return known;
  }

  #whoami(): Record<string, unknown> {
    const { teamId, botUser, botId } = this.#options.bot;
    return {
      ok: true,
      url: 'https://example.slack.com/',
      team: 'Example',
      user: 'signalbox',
      team_id: teamId,
      user_id: botUser,
      bot_id: botId,
      is_enterprise_install: false,
    };
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
  for (const name of ['blocks', 'metadata', 'view'])
    if (typeof params[name] === 'string') params[name] = JSON.parse(params[name]) as unknown;
  return params;
}
