/** The Web API methods that the fake knows, as docs.slack.dev/reference/methods has them. */
export interface Method {
  readonly token: 'bot' | 'app';
  /** The bot scopes it takes, by kind of conversation where there are several; `auth.test` takes none. */
  readonly scopes?: readonly string[];
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

export const METHODS: Readonly<Record<string, Method>> = {
  'auth.test': { token: 'bot', required: [], optional: [] },
  'apps.connections.open': { token: 'app', required: [], optional: [] },
  'chat.postMessage': {
    token: 'bot',
    scopes: ['chat:write'],
    required: ['channel', 'text'],
    optional: ['blocks', 'thread_ts', 'reply_broadcast', 'unfurl_links', 'unfurl_media', 'metadata'],
  },
  'chat.update': {
    token: 'bot',
    scopes: ['chat:write'],
    required: ['channel', 'ts', 'text'],
    optional: ['blocks', 'metadata'],
  },
  'conversations.history': {
    token: 'bot',
    scopes: ['channels:history', 'groups:history', 'im:history'],
    required: ['channel'],
    optional: ['oldest', 'latest', 'inclusive', 'limit', 'cursor', 'include_all_metadata'],
  },
  'conversations.replies': {
    token: 'bot',
    scopes: ['channels:history', 'groups:history', 'im:history'],
    required: ['channel', 'ts'],
    optional: ['oldest', 'latest', 'inclusive', 'limit', 'cursor', 'include_all_metadata'],
  },
};

/** The scope that each subscription to the Events API takes. */
export const EVENTS: Readonly<Record<string, string>> = {
  app_mention: 'app_mentions:read',
  'message.im': 'im:history',
};
