import type { Json, JsonObject } from '../../src/domain/json.ts';

const json = (schema: Json): JsonObject => ({ 'application/json': { schema } });
const ref = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });
const answers = (description: string, content?: JsonObject): JsonObject => ({
  description,
  ...(content && { content }),
});
const text = (type: string): JsonObject => ({ [type]: { schema: { type: 'string' } } });
const query = (name: string, description: string, schema: JsonObject): JsonObject => ({
  name,
  in: 'query',
  description,
  schema,
});

/** What any operation may answer instead: an RFC 9457 problem document. */
export const ERRORS: JsonObject = { default: { $ref: '#/components/responses/Problem' } };

/** Headers of whatever changes something. */
export const KEYED: readonly Json[] = [
  { $ref: '#/components/parameters/IdempotencyKey' },
  { $ref: '#/components/parameters/Cause' },
];
const TOPICS = query('topics', 'Comma-separated topics: `*`, `job.*`, `job.failed`.', { type: 'string' });
const AFTER = query('after', 'The sequence of the last entry that the reader has.', {
  type: 'integer',
  minimum: 0,
});

/** The paths that are the adapter's own rather than a command's. */
export const OWN_PATHS: Record<string, Record<string, Json>> = {
  '/v1/commands': {
    get: {
      operationId: 'commands',
      summary: 'What the caller may do, with the schema of each command.',
      tags: ['command'],
      responses: { '200': answers('The commands.', json({ type: 'object' })), ...ERRORS },
    },
    post: {
      operationId: 'run',
      summary: 'Runs any command, as text or as JSON.',
      tags: ['command'],
      parameters: KEYED,
      requestBody: { required: true, content: json(ref('Message')) },
      responses: {
        '200': answers('It ran.', json(ref('Answer'))),
        '202': { $ref: '#/components/responses/Waiting' },
        ...ERRORS,
      },
    },
  },
  '/v1/events': {
    get: {
      operationId: 'events',
      summary: 'Journal entries after a sequence; waits for one when there is none (long poll).',
      tags: ['event'],
      parameters: [
        AFTER,
        query('wait', 'Seconds to wait at most.', { type: 'number', minimum: 0, maximum: 30 }),
        TOPICS,
      ],
      responses: { '200': answers('Entries, and where to go on.', json(ref('Events'))), ...ERRORS },
    },
  },
  '/v1/events/stream': {
    get: {
      operationId: 'stream',
      summary: 'The journal as server-sent events; `id` is the sequence, `Last-Event-ID` resumes.',
      tags: ['event'],
      parameters: [
        AFTER,
        TOPICS,
        { name: 'Last-Event-ID', in: 'header', schema: { type: 'string', pattern: '^\\d+$' } },
      ],
      responses: { '200': answers('The stream.', text('text/event-stream')), ...ERRORS },
    },
  },
  '/v1/jobs/{id}/logs/stream': {
    get: {
      operationId: 'logs',
      summary:
        'A job’s log as server-sent events; `id` is the cursor, `Last-Event-ID` resumes; ends with the job.',
      tags: ['job'],
      parameters: [
        { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
        query('after', 'The cursor of the last line that the reader has.', { type: 'integer', minimum: 0 }),
        { name: 'Last-Event-ID', in: 'header', schema: { type: 'string', pattern: '^\\d+$' } },
      ],
      responses: { '200': answers('The stream.', text('text/event-stream')), ...ERRORS },
    },
  },
  '/v1/tokens': {
    post: {
      operationId: 'tokens',
      summary: 'Short access token and single-use refresh token, for an API key or for a refresh token.',
      tags: ['token'],
      security: [{ bearer: [] }, {}],
      requestBody: {
        content: json({
          type: 'object',
          properties: { refreshToken: { type: 'string' } },
          additionalProperties: false,
        }),
      },
      responses: { '200': answers('The pair.', json(ref('TokenPair'))), ...ERRORS },
    },
  },
  '/v1/ws/ticket': {
    post: {
      operationId: 'ticket',
      summary: 'A one-time ticket for a WebSocket upgrade at `/v1/ws?ticket=…`, good for 30 s.',
      tags: ['token'],
      responses: { '200': answers('The ticket.', json(ref('Ticket'))), ...ERRORS },
    },
  },
  ...Object.fromEntries(
    [
      ['/healthz', 'health', 'The process answers.', 'application/json'],
      ['/readyz', 'ready', 'Whether it can do its work, check by check; 503 when not.', 'application/json'],
      ['/metrics', 'metrics', 'Prometheus metrics.', 'text/plain'],
      ['/.well-known/jwks.json', 'jwks', 'The public keys of access tokens (RFC 7517).', 'application/json'],
    ].map(([path = '', operationId = '', summary = '', type = '']) => [
      path,
      {
        get: {
          operationId,
          summary,
          tags: ['operation'],
          security: [],
          responses: {
            '200': answers(summary, type === 'text/plain' ? text(type) : json({ type: 'object' })),
            ...ERRORS,
          },
        },
      },
    ]),
  ),
};

const strings: JsonObject = { type: 'array', items: { type: 'string' } };
const object = (required: readonly string[], properties: JsonObject): JsonObject => ({
  type: 'object',
  required,
  properties,
});

export const COMPONENTS: JsonObject = {
  securitySchemes: {
    bearer: { type: 'http', scheme: 'bearer', description: 'An API key `sb_…` or an access token.' },
  },
  parameters: {
    IdempotencyKey: {
      name: 'Idempotency-Key',
      in: 'header',
      description:
        'The same key again gets the first answer again; with another content it is refused with 422.',
      schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
    },
    Cause: {
      name: 'Signalbox-Cause',
      in: 'header',
      description: 'The job that led to this request, such as JOB-12, so that a loop is seen and stopped.',
      schema: { type: 'string', pattern: '^JOB-\\d{1,15}$' },
    },
    IfMatch: {
      name: 'If-Match',
      in: 'header',
      required: true,
      description: 'The ETag of what was read, or `*`; 412 when it has changed since.',
      schema: { type: 'string' },
    },
  },
  responses: {
    Data: {
      description:
        'The data of the answer. A versioned resource carries a strong ETag, a new one its Location.',
      headers: { ETag: { schema: { type: 'string' } }, Location: { schema: { type: 'string' } } },
      content: json({}),
    },
    File: {
      description: 'The file itself, to be saved rather than shown; the ETag is its SHA-256.',
      headers: {
        ETag: { schema: { type: 'string' } },
        'Content-Disposition': { schema: { type: 'string' } },
      },
      content: { '*/*': { schema: { type: 'string', format: 'binary' } } },
    },
    Waiting: {
      description: 'It waits for an approval (`pending_approval`) or for a `yes` (`needs_confirmation`).',
      content: json(ref('Answer')),
    },
    Problem: {
      description: 'It was refused; `code` is stable (RFC 9457).',
      content: { 'application/problem+json': { schema: ref('Problem') } },
    },
  },
  schemas: {
    Invocation: object(['command', 'args'], { command: { type: 'string' }, args: { type: 'object' } }),
    Message: {
      oneOf: [
        { ...object(['text'], { text: { type: 'string' } }), additionalProperties: false },
        {
          ...object(['command'], { command: { type: 'string' }, args: { type: 'object' } }),
          additionalProperties: false,
        },
      ],
      examples: [{ text: 'task list' }, { command: 'task.list', args: {} }],
    },
    Answer: object(['id', 'status', 'reply', 'correlationId'], {
      id: { type: 'string' },
      status: { enum: ['ok', 'pending_approval', 'needs_confirmation'] },
      invocation: ref('Invocation'),
      reply: object(['text'], {
        text: { type: 'string' },
        data: {},
        actions: { type: 'array', items: ref('Action') },
        card: { ...ref('Card'), description: 'The same as the text, in parts to be laid out.' },
        job: { type: 'string', description: 'The job that it tells of.' },
      }),
      correlationId: { type: 'string' },
    }),
    Action: object(['label', 'invocation'], {
      label: { type: 'string' },
      invocation: ref('Invocation'),
      style: { enum: ['primary', 'danger'] },
      asks: { ...strings, description: 'Arguments to be asked for before it is sent; none named: all.' },
    }),
    Card: object(['title'], {
      title: { type: 'string' },
      exact: { type: 'string', description: 'To be shown letter by letter: what exactly will run.' },
      facts: {
        type: 'array',
        items: object(['label'], {
          label: { type: 'string' },
          text: { type: 'string' },
          at: { type: 'string', format: 'date-time' },
        }),
      },
      body: { type: 'string' },
      sections: { type: 'array', items: ref('Section') },
    }),
    Section: object(['title', 'items', 'none'], {
      title: { type: 'string' },
      items: {
        type: 'array',
        items: object(['text'], {
          text: { type: 'string' },
          actions: { type: 'array', items: ref('Action') },
        }),
      },
      none: { type: 'string', description: 'Said where there are no items.' },
      more: { type: 'string' },
    }),
    Problem: object(['type', 'title', 'status', 'detail', 'code'], {
      type: { type: 'string' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { type: 'string' },
      suggestions: strings,
      invocation: ref('Invocation'),
      correlationId: { type: 'string' },
    }),
    Event: object(
      ['type', 'id', 'version', 'seq', 'event', 'at', 'actor', 'target', 'correlationId', 'details'],
      {
        type: { const: 'event' },
        id: { type: 'string' },
        version: { const: 1 },
        seq: { type: 'integer' },
        event: { type: 'string' },
        at: { type: 'string', format: 'date-time' },
        actor: { type: 'string' },
        target: { type: 'string' },
        correlationId: { type: 'string' },
        cause: { type: ['string', 'null'] },
        details: { type: 'object' },
      },
    ),
    Events: object(['events', 'next'], {
      events: { type: 'array', items: ref('Event') },
      next: { type: 'integer' },
    }),
    TokenPair: object(['tokenType', 'accessToken', 'expiresIn', 'refreshToken'], {
      tokenType: { const: 'Bearer' },
      accessToken: { type: 'string' },
      expiresIn: { type: 'integer', description: 'Seconds.' },
      refreshToken: { type: 'string' },
    }),
    Ticket: object(['ticket', 'expiresIn'], { ticket: { type: 'string' }, expiresIn: { type: 'integer' } }),
  },
};
