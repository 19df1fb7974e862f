import { readFile } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';

/** Each address of the page with its file and type; nothing else is served. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
  '/blocks.css': ['blocks.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
  ...Object.fromEntries(
    ['client', 'sidebar', 'composer', 'dom', 'mrkdwn', 'blocks', 'timeline', 'menu', 'modal', 'drawer'].map(
      (name) => [`/${name}.js`, [`${name}.js`, 'text/javascript; charset=utf-8'] as const],
    ),
  ),
};

/** Only what this server itself serves is loaded, run or asked. */
const HEADERS: OutgoingHttpHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

/** The file at an address with its headers; undefined where there is none. */
export async function staticFile(
  path: string,
): Promise<{ headers: OutgoingHttpHeaders; content: Buffer } | undefined> {
  const known = Object.hasOwn(FILES, path) ? FILES[path] : undefined;
  if (known === undefined) return undefined;
  const [file, type] = known;
  const content = await readFile(new URL(`web/${file}`, import.meta.url));
  return { headers: { ...HEADERS, 'content-type': type }, content };
}
