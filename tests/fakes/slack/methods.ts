/** The Web API methods that the fake knows, as docs.slack.dev/reference/methods has them. */
export interface Method {
  readonly token: 'bot' | 'app';
  /** The bot scope it takes; `auth.test` takes none. */
  readonly scope?: string;
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

export const METHODS: Readonly<Record<string, Method>> = {
  'auth.test': { token: 'bot', required: [], optional: [] },
  'apps.connections.open': { token: 'app', required: [], optional: [] },
  'chat.postMessage': {
    token: 'bot',
    scope: 'chat:write',
    required: ['channel', 'text'],
    optional: ['blocks', 'thread_ts', 'reply_broadcast', 'unfurl_links', 'unfurl_media', 'metadata'],
  },
  'chat.update': {
    token: 'bot',
    scope: 'chat:write',
    required: ['channel', 'ts', 'text'],
    optional: ['blocks', 'metadata'],
  },
};

/** The scope that each subscription to the Events API takes. */
export const EVENTS: Readonly<Record<string, string>> = {
  app_mention: 'app_mentions:read',
  'message.im': 'im:history',
};
