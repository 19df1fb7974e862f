import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { systemClock, type Clock } from '../../../../src/domain/clock.ts';
import { withIds } from '../messages.ts';
import { deed, perform } from './deeds.ts';
import { complaint, Deliveries, inWords } from './deliveries.ts';
import { CHANNELS, PEOPLE } from './people.ts';
import type { Manifest } from './manifest.ts';
import { staticFile } from './statics.ts';
import type { Outcome, PageWorld } from './world.ts';

/** Bytes of a request's body. */
const MOST = 1_000_000;

export interface PageOptions {
  /** 0 for any. */
  readonly port: number;
  /** Where the app takes Slack's requests, to say so when it is not there. */
  readonly target: string;
  /** What of the app there is to see. */
  readonly app: Pick<Manifest, 'shortcuts' | 'hasHome'>;
  readonly clock?: Clock;
}

export interface Page {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the page at `/`, and the fake's Web API under the same port, so that one address is all that the app needs. */
export async function startPage(world: PageWorld, options: PageOptions): Promise<Page> {
  const { clock = systemClock } = options;
  const desk = new Desk(world, options, clock);
  const server = createServer((req, res) => {
    desk.answer(req, res).catch((error: unknown) => {
      if (res.headersSent) res.destroy();
      else json(res, 500, { ok: false, error: String(error) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, '127.0.0.1', resolve);
  });
  desk.port = (server.address() as AddressInfo).port;
  return { url: `http://127.0.0.1:${desk.port}`, close: () => closed(server) };
}

class Desk {
  port = 0;
  readonly #world: PageWorld;
  readonly #options: PageOptions;
  readonly #deliveries: Deliveries;
  readonly #own = new Set<() => void>();

  constructor(world: PageWorld, options: PageOptions, clock: Clock) {
    this.#world = world;
    this.#options = options;
    this.#deliveries = new Deliveries(() => clock.now());
  }

  async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
    if (path.startsWith('/api/')) return this.#forward(path.slice('/api/'.length), req, res);
    if (!this.#isOwn(req)) return json(res, 403, { ok: false, error: 'Open the page at its own address.' });
    if (req.method === 'POST' && path === '/ui/do') return this.#do(req, res);
    if (req.method !== 'GET') return json(res, 405, { ok: false, error: 'GET or POST /ui/do' });
    if (path === '/ui/state') return json(res, 200, this.#state());
    if (path === '/ui/page') return json(res, 200, await this.#page());
    if (path === '/ui/changes') return this.#changes(res);
    const file = await staticFile(path);
    if (file === undefined) return json(res, 404, { ok: false, error: 'There is nothing here.' });
    res.writeHead(200, file.headers).end(file.content);
  }

  /** Another site may neither reach the page by a name of its own, nor send to it. */
  #isOwn({ headers }: IncomingMessage): boolean {
    const hosts = [`127.0.0.1:${this.port}`, `localhost:${this.port}`];
    const { host = '', origin } = headers;
    return hosts.includes(host) && (origin === undefined || origin === `http://${host}`);
  }

  async #do(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await read(req);
    const asked = deed.safeParse(body === undefined ? undefined : parsed(body));
    if (!asked.success)
      return json(res, 400, { ok: false, error: asked.error.issues[0]?.message ?? 'unreadable' });
    let outcome: Outcome | undefined;
    let error: string | undefined;
    try {
      outcome = await perform(this.#world, asked.data);
      error = complaint(outcome);
    } catch (cause) {
      error = inWords(cause, this.#options.target);
    }
    this.#deliveries.add(asked.data, outcome, error);
    for (const tell of this.#own) tell();
    const status = outcome?.isUnheard === true ? undefined : outcome?.status;
    json(res, 200, { ok: error === undefined, status, error });
  }

  /** Each block has an id, so that a click can name it. */
  #state(): object {
    const state = this.#world.state();
    return {
      ...state,
      messages: state.messages.map((message) => ({ ...message, blocks: withIds(message.blocks) })),
    };
  }

  /** What the page knows beside the fake's state. */
  async #page(): Promise<object> {
    const { target, app } = this.#options;
    const { shortcuts, hasHome } = app;
    const { botUser, violations, socket } = this.#world;
    const mode = socket.isOpen ? 'socket' : 'http';
    return {
      botUser,
      people: PEOPLE.map((person) => ({ ...person, dm: this.#world.dmOf(person.id) })),
      channels: CHANNELS,
      shortcuts,
      hasHome,
      target,
      mode,
      isReachable: mode === 'socket' || (await answers(target)),
      deliveries: this.#deliveries.lines,
      violations,
    };
  }

  /** Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html): something changed, look again. */
  #changes(res: ServerResponse): void {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const tell = (): void => void res.write('event: changed\ndata: {}\n\n');
    const unlisten = this.#world.onChange(tell);
    this.#own.add(tell);
    res.on('close', () => {
      unlisten();
      this.#own.delete(tell);
    });
    tell();
  }

  /** A call of the Web API, as it is; a connection that the fake breaks breaks here too. */
  async #forward(method: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { authorization, 'content-type': type } = req.headers;
    const headers = {
      ...(authorization !== undefined && { authorization }),
      ...(type !== undefined && { 'content-type': type }),
    };
    const body = await read(req);
    if (body === undefined) return json(res, 413, { ok: false, error: 'request_too_large' });
    const sent = req.method === 'POST' ? { method: 'POST', headers, body } : { method: 'GET', headers };
    const answer = await fetch(this.#world.apiUrl + method, sent).catch(() => undefined);
    if (answer === undefined) return void res.destroy();
    const retry = answer.headers.get('retry-after');
    res.writeHead(answer.status, {
      'content-type': answer.headers.get('content-type') ?? 'application/json',
      ...(retry !== null && { 'retry-after': retry }),
    });
    res.end(Buffer.from(await answer.arrayBuffer()));
  }
}

function json(res: ServerResponse, status: number, content: object): void {
  res.writeHead(status, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  res.end(JSON.stringify(content));
}

/** A request's body; undefined when it is too large. */
async function read(req: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MOST) chunks.push(chunk);
  }
  return size > MOST ? undefined : Buffer.concat(chunks).toString('utf8');
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Whether anybody listens at the address; nothing is sent there. */
async function answers(target: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(target);
  const socket = connect({
    host: hostname,
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    timeout: 1_000,
  });
  const heard = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('timeout', () => resolve(false));
  });
  socket.destroy();
  return heard;
}

async function closed(server: Server): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await done;
}
