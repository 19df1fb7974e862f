import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ResponseUrls } from './response-url.ts';
import type { SocketServer } from './socket.ts';
import type { WebApi } from './web-api.ts';

export interface ServerParts {
  readonly api: WebApi;
  readonly socket: SocketServer;
  readonly responseUrls: ResponseUrls;
}

/** One loopback port for `/api/<method>`, `/response/<id>` and the sockets. */
export async function serve(parts: () => ServerParts): Promise<{ server: Server; url: string }> {
  const server = createServer((req, res) => void answer(req, res, parts()));
  server.on('upgrade', (req, socket, head) => parts().socket.upgrade(req, socket, head));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  { api, responseUrls }: ServerParts,
): Promise<void> {
  const [, kind, name = ''] = (req.url ?? '/').split('/');
  const body = Buffer.concat(await req.toArray()).toString('utf8');
  if (req.method !== 'POST') return void res.writeHead(405).end();
  if (kind === 'response') {
    const { status, text } = responseUrls.post(name, req.headers['content-type'] ?? '', body);
    return void res.writeHead(status).end(text);
  }
  if (kind !== 'api') return void res.writeHead(404).end();
  const { status, headers, body: content, drop } = api.call(name, req.headers, body);
  if (drop) return void res.destroy();
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(content));
}

export async function closed(server: Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await done;
}
