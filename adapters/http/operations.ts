import type { HttpApp } from '../../src/core/adapter.ts';
import type { Json } from '../../src/domain/json.ts';
import { HOME_STYLE_HASH, homePage, type ChannelView } from './home.ts';
import { pageHeaders } from './page.ts';
import { route } from './route.ts';
import { send, sendJson } from './send.ts';

export interface Readiness {
  readonly ok: boolean;
  /** What was looked at, each with its result. */
  readonly checks: { readonly [name: string]: Json };
}

export interface OperationsOptions {
  readonly http: HttpApp;
  readonly version: string;
  /** Looks at database, migrations, queue and channels. A throw counts as not ready. */
  readonly ready: () => Promise<Readiness>;
  /** A prom-client registry. */
  readonly registry: { readonly contentType: string; metrics(): Promise<string> };
  /** Every channel with its present health, for the page. */
  readonly channels: () => readonly ChannelView[];
}

/** `/healthz` (the process answers), `/readyz` (it can do its work), `/metrics` (Prometheus) and the page at `/`. */
export function mountOperations(options: OperationsOptions): void {
  const { http, registry } = options;
  route(http, '/healthz', { get: (_req, res) => sendJson(res, 200, { ok: true }) });
  route(http, '/readyz', {
    get: async (_req, res) => {
      const readiness = await options.ready().catch((): Readiness => ({ ok: false, checks: {} }));
      sendJson(res, readiness.ok ? 200 : 503, readiness);
    },
  });
  route(http, '/metrics', {
    get: async (_req, res) => send(res, 200, registry.contentType, await registry.metrics()),
  });
  const headers = pageHeaders({ 'style-src': [HOME_STYLE_HASH] });
  route(http, '/', {
    get: (req, res) => {
      headers(req, res, () => {
        send(res, 200, 'text/html; charset=utf-8', homePage(options.version, options.channels()));
      });
    },
  });
}
