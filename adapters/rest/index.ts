import type { Logger } from 'pino';
import type { Adapter, Health, HttpApp, Receive } from '../../src/core/adapter.ts';
import { refusalAnswer } from '../../src/core/answer.ts';
import type { Authenticator } from '../../src/core/authenticator.ts';
import type { CommandSet } from '../../src/core/command.ts';
import type { Feed } from '../../src/core/feed.ts';
import type { Admission } from '../../src/core/limits.ts';
import type { Store } from '../../src/core/store.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { SECOND, type Clock } from '../../src/domain/clock.ts';
import { Refusal } from '../../src/domain/errors.ts';
import { route } from '../http.ts';
import { listCommands, postCommand } from './commands.ts';
import { mountDocs } from './docs.ts';
import { pollEvents } from './events.ts';
import { streamLogs } from './job-logs.ts';
import { openApi } from './openapi.ts';
import { mountRoutes, type Handlers } from './routes.ts';
import { schemasOf } from './schema.ts';
import { streamEvents } from './stream.ts';
import { getKeys, postTicket, postToken } from './tokens.ts';

export interface RestOptions {
  readonly http: HttpApp;
  readonly workspace: string;
  readonly authenticator: Authenticator;
  readonly admission: Admission;
  readonly commands: CommandSet;
  readonly receive: Receive;
  readonly feed: Feed;
  /** For what requests wait for. */
  readonly catalog: Catalog;
  readonly store: Pick<Store, 'read'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** The public address, for the OpenAPI document. */
  readonly publicUrl: string;
  /** The product's version, for the OpenAPI document. */
  readonly version: string;
}

/**
 * REST: `/v1/commands`, the routes that commands declare, events as long poll and stream, tokens, OpenAPI and docs.
 * @throws Error when two commands declare the same route.
 */
export function createRestAdapter(options: RestOptions): Adapter {
  const { http, authenticator, commands, publicUrl, version } = options;
  const open = new Set<() => void>();
  const schemas = schemasOf(commands);
  let health: Health = { state: 'off', reason: 'not started' };
  const receive: Receive = async (message) => {
    if (health.state === 'on') return options.receive(message);
    const { correlationId = '' } = message;
    return refusalAnswer(
      correlationId,
      correlationId,
      new Refusal('unavailable', 'Signalbox is stopping.', { retryAfter: 5 * SECOND }),
    );
  };
  const shared = { ...options, receive, schemas, open };
  const own: Handlers = new Map([
    ['/v1/events', { get: pollEvents(shared) }],
    ['/v1/events/stream', { get: streamEvents(shared) }],
    ['/v1/jobs/{id}/logs/stream', { get: streamLogs(shared) }],
    ['/v1/tokens', { post: postToken(options) }],
    ['/v1/ws/ticket', { post: postTicket(options) }],
    ['/.well-known/jwks.json', { get: getKeys(authenticator) }],
  ]);
  return {
    name: 'rest',
    start: async () => {
      // First, since express looks through its routes in order and this one is asked for most.
      route(http, '/v1/commands', { post: postCommand(shared), get: listCommands(shared) });
      mountRoutes(http, shared, own);
      mountDocs(http, () => openApi({ commands, schemas, publicUrl, version }));
      health = { state: 'on' };
    },
    // Commands that are running are the server's to finish; requests that only wait are ended.
    stop: async () => {
      health = { state: 'off', reason: 'stopped' };
      for (const end of open) end();
    },
    health: () => health,
  };
}
