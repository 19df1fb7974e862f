import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a sender may name its request by; anything else is replaced. */
const CORRELATION = /^[\w.:@/+=-]{1,128}$/;
const HEADER = 'X-Correlation-Id';

/** On every response; pages loosen the policy for themselves. */
const STATIC = new Map([
  ['X-Content-Type-Options', 'nosniff'],
  ['Cache-Control', 'no-store'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
]);

const READABLE = 'ETag, Location, Retry-After, WWW-Authenticate, X-Correlation-Id';
const METHODS = 'GET, POST, PATCH, DELETE';
const SENDABLE =
  'Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Correlation-Id';

export interface EdgeOptions {
  readonly allowedOrigins: readonly string[];
  readonly newId: () => string;
}

/**
 * What holds for every request, before any route: the correlation id (taken from the sender when well formed, echoed),
 * headers that never change, and CORS for the origins that the operator names.
 * Returns whether the request is answered already (a preflight).
 */
export function createEdge(options: EdgeOptions): (req: IncomingMessage, res: ServerResponse) => boolean {
  const origins = new Set(options.allowedOrigins);
  return (req, res) => {
    const named = req.headers['x-correlation-id'];
    res.setHeader(HEADER, typeof named === 'string' && CORRELATION.test(named) ? named : options.newId());
    res.setHeaders(STATIC);
    return origins.size > 0 && shareWith(origins, req, res);
  };
}

function shareWith(origins: ReadonlySet<string>, req: IncomingMessage, res: ServerResponse): boolean {
  res.setHeader('Vary', 'Origin');
  const origin = req.headers.origin;
  if (origin === undefined || !origins.has(origin)) return false;
  res.setHeader('Access-Control-Allow-Origin', origin);
  res.setHeader('Access-Control-Expose-Headers', READABLE);
  if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) return false;
  res.writeHead(204, {
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': SENDABLE,
    'Access-Control-Max-Age': 600,
  });
  res.end();
  return true;
}

/** A repeat is answered as its first time was, so its header names what the body does. */
export function correlate(res: ServerResponse, correlationId: string): void {
  res.setHeader(HEADER, correlationId);
}

/** The correlation id of the request that this response answers. */
export function correlationOf(res: ServerResponse): string | undefined {
  const value = res.getHeader(HEADER);
  return typeof value === 'string' ? value : undefined;
}
