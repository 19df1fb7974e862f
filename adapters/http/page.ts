import type { RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * The headers of a page for people: nothing loads but what `sources` names (CSP fetch directives, such as
 * `{ 'script-src': ["'self'"] }`), and no other site may frame it.
 */
export function pageHeaders(sources: Readonly<Record<string, readonly string[]>>): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'base-uri': ["'none'"],
        'form-action': ["'self'"],
        'frame-ancestors': ["'none'"],
        ...sources,
      },
    },
    // Whether this host is reached by TLS is the proxy's to say.
    strictTransportSecurity: false,
  });
}
