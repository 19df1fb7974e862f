import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HttpApp } from '../../src/core/adapter.ts';
import { pageHeaders, route, send } from '../http.ts';

const ASSETS = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signalbox REST interface</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
`;

// A file of its own, since the page's policy lets no inline script run. No validator: nothing leaves this host.
const INIT = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, validatorUrl: null });
`;

/** `/openapi.json` and the page that shows it, all of it served from here. The document is made when first asked for. */
export function mountDocs(http: HttpApp, document: () => unknown): void {
  let text: string | undefined;
  route(http, '/openapi.json', {
    get: (_req, res) => {
      text ??= JSON.stringify(document());
      send(res, 200, 'application/json', text);
    },
  });
  const headers = pageHeaders({
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'img-src': ["'self'", 'data:'],
    'connect-src': ["'self'"],
  });
  route(http, '/docs', {
    get: (req, res) => {
      headers(req, res, () => {
        send(res, 200, 'text/html; charset=utf-8', PAGE);
      });
    },
  });
  route(http, '/docs/init.js', {
    get: (_req, res) => send(res, 200, 'text/javascript; charset=utf-8', INIT),
  });
  const root = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')));
  for (const name of ASSETS)
    route(http, `/docs/${name}`, {
      get: (_req, res) => {
        res.setHeader('Cache-Control', 'public, max-age=86400');
        res.sendFile(name, { root });
      },
    });
}
