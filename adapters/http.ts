import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import express from 'express';
import type { Logger } from 'pino';
import type { HttpApp } from '../src/core/adapter.ts';
import { SECOND } from '../src/domain/clock.ts';
import { asRefusal, Refusal } from '../src/domain/errors.ts';
import { correlationOf, createEdge } from './http/edge.ts';
import { sendProblem } from './http/problem.ts';

export { readBody, readObject } from './http/body.ts';
export { causeOf } from './http/cause.ts';
export { correlate, correlationOf } from './http/edge.ts';
export { parseJson } from './http/json.ts';
export { decodeBody } from './http/message.ts';
export { pageHeaders } from './http/page.ts';
export { problemHeaders, problemOf, refusalOf, sendProblem } from './http/problem.ts';
export { route, type Handler, type Method } from './http/route.ts';
export { send, sendJson } from './http/send.ts';

/** The server that REST, WebSocket, webhook and Slack share. */
export interface Http {
  /** Where adapters mount their routes; what no route takes is answered with 404. */
  readonly app: HttpApp;
  readonly server: Server;
  /** @throws Refusal `unavailable` when the address is taken or may not be used. */
  listen(): Promise<{ port: number }>;
  /** Takes no new connection, lets open requests finish until the signal aborts, then cuts what is left. */
  close(deadline: AbortSignal): Promise<void>;
}

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Addresses or networks whose `X-Forwarded-*` headers count; none: nobody's do. */
  readonly trustedProxies: readonly string[];
  /** Origins of web pages elsewhere that may call this server (CORS). */
  readonly allowedOrigins: readonly string[];
  readonly log: Logger;
  /** Names requests that come without a correlation id; a random UUID unless given. */
  readonly newId?: () => string;
}

/** Builds the server; it listens when told to. @throws TypeError when a trusted proxy is no address or network. */
export function createHttp(options: HttpOptions): Http {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('trust proxy', options.trustedProxies.length > 0 ? options.trustedProxies : false);
  const edge = createEdge({ allowedOrigins: options.allowedOrigins, newId: options.newId ?? randomUUID });
  // The final handler is given with each request rather than mounted last: adapters mount when they start.
  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    if (edge(req, res)) return;
    app(req as express.Request, res as express.Response, (error?: unknown) =>
      fall(options.log, error, req, res),
    );
  };
  const server: Server = createServer(
    { shouldUpgradeCallback: (req) => server.listenerCount('upgrade') > 0 && asksForWebSocket(req) },
    answer,
  );
  // Bounds of receiving a request (slow senders); answering may take longer, as long polls do.
  server.requestTimeout = 30 * SECOND;
  server.headersTimeout = 10 * SECOND;
  server.keepAliveTimeout = 30 * SECOND;
  // A connection opened ahead of its first request counts as busy to Node, and would hold a stop up to its deadline.
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return {
    app,
    server,
    listen: () => listen(server, options),
    close: (deadline) => close(server, connections, deadline),
  };
}

/**
 * Whether a connection is to be handed over. An offer of anything else, as the `h2c` of many HTTP clients, may be passed
 * over (RFC 9110, 7.8): the request is then answered as any other. Node before 22.21 hands over
 * every offer.
 */
const asksForWebSocket = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';

/** What no route took, and the one place where errors of all routes become problem documents. */
function fall(log: Logger, error: unknown, req: IncomingMessage, res: ServerResponse): void {
  if (error === undefined || error === null) {
    const path = (req.url ?? '').split('?', 1)[0] ?? '';
    sendProblem(res, new Refusal('not_found', `There is nothing at ${path.slice(0, 200)}; see /docs.`));
    return;
  }
  const refusal = refusalFrom(error);
  if (refusal.code === 'internal')
    log.error({ err: error, method: req.method, correlationId: correlationOf(res) }, 'request failed');
  sendProblem(res, refusal);
}

/** Express and its parsers throw errors with a status. */
function refusalFrom(error: unknown): Refusal {
  if (error instanceof Refusal || !(error instanceof Error) || !('status' in error)) return asRefusal(error);
  switch (error.status) {
    case 400:
      return new Refusal('malformed', 'The request cannot be read.', { cause: error });
    case 404:
      return new Refusal('not_found', 'There is nothing here.', { cause: error });
    case 413:
      return new Refusal('too_large', 'The body is too large.', { cause: error });
    case 415:
      return new Refusal('unsupported_media_type', 'The content type or encoding is not supported.', {
        cause: error,
      });
    default:
      return asRefusal(error);
  }
}

const WHY: Record<string, string> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine does not have that address',
};

function listen(server: Server, { host, port }: HttpOptions): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException) => {
      const why = WHY[cause.code ?? ''] ?? cause.message;
      reject(
        new Refusal('unavailable', `Cannot listen on ${host}:${port}: ${why}. Set HOST or PORT.`, { cause }),
      );
    };
    server.once('error', failed);
    server.listen(port, host, () => {
      server.off('error', failed);
      const address = server.address();
      resolve({ port: typeof address === 'object' && address ? address.port : port });
    });
  });
}

async function close(server: Server, connections: ReadonlySet<Socket>, deadline: AbortSignal): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  // A connection that was busy at the moment of closing turns idle later; nobody but us would end it then.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = () => server.closeAllConnections();
  deadline.addEventListener('abort', cut, { once: true });
  if (deadline.aborted) cut();
  await closed;
  clearInterval(sweep);
  deadline.removeEventListener('abort', cut);
}
