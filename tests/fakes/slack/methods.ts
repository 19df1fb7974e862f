/** The Web API methods that the fake knows, as docs.slack.dev/reference/methods has them. */
export interface Method {
  readonly token: 'bot' | 'app';
  /** The bot scopes it takes, by kind of conversation where there are several; `auth.test` and `views.*` take none. */
  readonly scopes?: readonly string[];
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** Calls a minute in a workspace (docs.slack.dev/apis/web-api/rate-limits); `chat.postMessage` goes by channel. */
  readonly perMinute?: number;
}

const HISTORY = ['channels:history', 'groups:history', 'im:history'] as const;

/** How the scopes of a kind of conversation begin, by the first letter of its id. */
const KINDS: Readonly<Record<string, string>> = { C: 'channels:', G: 'groups:', D: 'im:' };

export const METHODS: Readonly<Record<string, Method>> = {
  'auth.test': { token: 'bot', required: [], optional: [] },
  'apps.connections.open': { token: 'app', required: [], optional: [] },
  'chat.postMessage': {
    token: 'bot',
    scopes: ['chat:write'],
    required: ['channel', 'text'],
    optional: ['blocks', 'thread_ts', 'reply_broadcast', 'unfurl_links', 'unfurl_media', 'metadata'],
  },
  'chat.postEphemeral': {
    token: 'bot',
    scopes: ['chat:write'],
    required: ['channel', 'user', 'text'],
    optional: ['blocks', 'thread_ts'],
    perMinute: 100,
  },
  'chat.update': {
    token: 'bot',
    scopes: ['chat:write'],
    required: ['channel', 'ts', 'text'],
    optional: ['blocks', 'metadata'],
    perMinute: 50,
  },
  'conversations.history': {
    token: 'bot',
    scopes: HISTORY,
    required: ['channel'],
    optional: ['cursor', 'oldest', 'latest', 'inclusive', 'limit', 'include_all_metadata'],
    perMinute: 50,
  },
  'conversations.replies': {
    token: 'bot',
    scopes: HISTORY,
    required: ['channel', 'ts'],
    optional: ['cursor', 'oldest', 'latest', 'inclusive', 'limit', 'include_all_metadata'],
    perMinute: 50,
  },
  'conversations.open': {
    token: 'bot',
    scopes: ['im:write'],
    required: ['users'],
    optional: ['return_im', 'prevent_creation'],
    perMinute: 50,
  },
  'users.info': {
    token: 'bot',
    scopes: ['users:read'],
    required: ['user'],
    optional: ['include_locale'],
    perMinute: 100,
  },
  'users.list': {
    token: 'bot',
    scopes: ['users:read'],
    required: [],
    optional: ['cursor', 'limit', 'include_locale'],
    perMinute: 20,
  },
  'views.open': { token: 'bot', required: ['view', 'trigger_id'], optional: [], perMinute: 100 },
  'views.update': {
    token: 'bot',
    required: ['view'],
    optional: ['view_id', 'external_id', 'hash'],
    perMinute: 100,
  },
  'views.publish': { token: 'bot', required: ['user_id', 'view'], optional: ['hash'], perMinute: 100 },
};

/** The scope that each event of the Events API takes; `app_home_opened` takes none. */
export const EVENTS: Readonly<Record<string, string | undefined>> = {
  app_mention: 'app_mentions:read',
  app_home_opened: undefined,
  'message.channels': 'channels:history',
  'message.groups': 'groups:history',
  'message.im': 'im:history',
  'message.mpim': 'mpim:history',
};

/** Every scope that something here takes; slash commands and shortcuts take `commands`. */
export const ALL_SCOPES: readonly string[] = [
  ...new Set(
    [
      'commands',
      ...Object.values(METHODS).flatMap(({ scopes = [] }) => scopes),
      ...Object.values(EVENTS),
    ].filter((scope) => scope !== undefined),
  ),
];

/** The scope that a call takes, given the conversation it names. */
export function scopeOf({ scopes = [] }: Method, channel: unknown): string | undefined {
  const kind = KINDS[String(channel).charAt(0)];
  return scopes.length > 1 ? scopes.find((scope) => kind !== undefined && scope.startsWith(kind)) : scopes[0];
}
