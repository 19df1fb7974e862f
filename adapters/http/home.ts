import { hash } from 'node:crypto';
import type { Health } from '../../src/core/adapter.ts';
import { escapeHtml } from '../../src/core/html.ts';

export interface ChannelView {
  readonly name: string;
  readonly health: Health;
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8886; vertical-align: top; }
td:last-child { overflow-wrap: anywhere; }
code { background: #8883; padding: .1rem .3rem; border-radius: .2rem; }
.on { color: light-dark(#176c2e, #7fdc98); }
.off { color: light-dark(#666, #aaa); }
.deaf { color: light-dark(#a4161a, #ff9a9a); }
`;

/** The page's style is allowed by its digest (CSP 3, 2.3.1), so nothing else that is inline runs. */
export const HOME_STYLE_HASH = `'sha256-${hash('sha256', STYLE, 'base64')}'`;

/** The page at `/`: which channels are on, why others are not, and where to go from here. Loads nothing. */
export function homePage(version: string, channels: readonly ChannelView[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Signalbox</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Signalbox</h1>
<p>One durable command line for the team, on every channel. Version ${escapeHtml(version)}.</p>
<h2>Channels</h2>
<table>
<thead><tr><th scope="col">Channel</th><th scope="col">State</th><th scope="col">Reason</th></tr></thead>
<tbody>
${channels.map(row).join('\n')}
</tbody>
</table>
<h2>Next</h2>
<ul>
<li><a href="/docs">The REST interface</a> (<a href="/openapi.json">openapi.json</a>)</li>
<li><a href="/readyz">Readiness</a> and <a href="/metrics">metrics</a></li>
<li>On a terminal: <code>npx signalbox send "help"</code></li>
</ul>
</body>
</html>
`;
}

function row({ name, health }: ChannelView): string {
  const reason = health.state === 'on' ? '' : escapeHtml(health.reason);
  return `<tr><td>${escapeHtml(name)}</td><td class="${health.state}">${health.state}</td><td>${reason}</td></tr>`;
}
