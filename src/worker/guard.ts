import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, request as send } from 'undici';
import { Refusal } from '../domain/errors.ts';
import { AllowList, checkedAddresses, isPublic, systemResolve, type Resolve } from './guard-address.ts';

/** Opens a connection to one of the addresses, or to wherever the name leads when none are given. */
export type Transport = (
  target: buildConnector.Options,
  addresses: readonly string[] | undefined,
  callback: buildConnector.Callback,
) => void;

export interface GuardOptions {
  /** Destinations besides public addresses: host names or `host:port`. */
  readonly allowedHosts: readonly string[];
  /** Those, and not even public addresses. */
  readonly sandboxed?: boolean;
  readonly resolve?: Resolve;
  readonly transport?: Transport;
}

export interface GuardedRequest {
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** Milliseconds for the whole exchange, redirects and body included. */
  readonly timeout: number;
  /** Bytes of the answer's body. */
  readonly maxBytes: number;
  /** Redirects that are followed; 5 unless told, 0 returns the redirect itself. */
  readonly maxRedirects?: number;
  readonly signal?: AbortSignal;
  /** Told of each answer, redirects included: what is refused after one was sent all the same. */
  readonly answered?: () => void;
}

export interface GuardedResponse {
  readonly status: number;
  /** By lower-case name; repeated ones joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** As sent: compression is neither asked for nor undone, so a small answer stays small. */
  readonly body: Buffer;
  /** Milliseconds of the whole exchange. */
  readonly latency: number;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  readonly redirects: number;
}

/** No whole answer in time; what comes later is not read. */
export class TimedOut extends Refusal {
  constructor(timeout: number) {
    super('unavailable', `No whole answer within ${timeout} ms.`);
  }
}

/** The body is larger than `maxBytes`; what came before it is known. */
export class BodyTooLarge extends Refusal {
  readonly head: Pick<GuardedResponse, 'status' | 'headers'>;

  constructor(maxBytes: number, head: BodyTooLarge['head']) {
    super('too_large', `The answer is larger than ${maxBytes} bytes.`);
    this.head = head;
  }
}

/**
 * @throws Refusal `invalid_argument` (not an http(s) URL, a bad header), `forbidden` (a destination that is not open to
 * this), `too_large`, `unavailable` (no answer, no whole answer or too late: worth another try); the signal's reason
 * when it was aborted.
 */
export type GuardedFetch = (request: GuardedRequest) => Promise<GuardedResponse>;

/** Where requests may go, and how. */
interface Ways extends Required<Omit<GuardOptions, 'allowedHosts'>> {
  readonly allowed: AllowList;
}

interface Hop {
  readonly method: GuardedRequest['method'];
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const MAX_REDIRECTS = 5;
/** Bytes of an answer's head. */
const MAX_HEAD = 16_384;
/** What is sent on to another origin; anything else may be a credential. */
const HARMLESS = new Set(['accept', 'accept-encoding', 'accept-language', 'user-agent']);

/** A client for addresses that people configured or typed: it reaches the public internet and what is allowed by name. */
export function createGuardedFetch(options: GuardOptions): GuardedFetch {
  const { resolve = systemResolve, transport = connectTo, sandboxed = false } = options;
  const ways: Ways = { allowed: new AllowList(options.allowedHosts), sandboxed, resolve, transport };
  const connect = guardedConnector(ways);
  return async (request) => {
    const deadline = AbortSignal.timeout(request.timeout);
    const signal = AbortSignal.any(request.signal === undefined ? [deadline] : [deadline, request.signal]);
    // One agent per exchange: nothing stays open behind it, and each latency includes the connection.
    const dispatcher = new Agent({
      connect,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEAD,
    });
    try {
      // undici looks at the signal only once it is connected.
      return await Promise.race([exchange(request, ways, dispatcher, signal), rejected(signal)]);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (deadline.aborted) throw new TimedOut(request.timeout);
      throw asNetworkRefusal(error);
    } finally {
      // Not awaited: it would wait for a name server that never answers.
      dispatcher.destroy().catch(() => undefined);
    }
  };
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

async function exchange(
  request: GuardedRequest,
  ways: Ways,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<GuardedResponse> {
  const { maxRedirects = MAX_REDIRECTS, maxBytes } = request;
  const started = performance.now();
  const headers = {
    'user-agent': 'signalbox',
    ...lowerCase(request.headers ?? {}),
    'accept-encoding': 'identity',
  };
  let hop: Hop = { method: request.method, url: checkedUrl(request.url), headers, body: request.body };
  for (let redirects = 0; ; redirects++) {
    const { url, body = null } = hop;
    const answer = await send(url, { method: hop.method, headers: hop.headers, body, dispatcher, signal });
    request.answered?.();
    const location = maxRedirects > 0 ? redirectOf(answer) : undefined;
    if (location === undefined) {
      const head = { status: answer.statusCode, headers: flat(answer.headers) };
      const bytes = await readBody(answer.body, maxBytes);
      if (bytes === undefined) throw new BodyTooLarge(maxBytes, head);
      return { ...head, body: bytes, latency: performance.now() - started, url: url.href, redirects };
    }
    answer.body.on('error', () => undefined).destroy();
    if (redirects === maxRedirects) throw new Refusal('forbidden', `More than ${maxRedirects} redirects.`);
    const next = nextHop(hop, answer.statusCode, location);
    await checkWay(hop.url, next.url, ways);
    hop = next;
  }
}

/**
 * What an operator opened by name is open to those who configure requests, and not to whoever answers one: a public site
 * redirects to public addresses only. @throws Refusal `forbidden`.
 */
async function checkWay(from: URL, to: URL, { allowed, resolve }: Ways): Promise<void> {
  if (allowed.has(from.hostname, portOf(from)) || !allowed.has(to.hostname, portOf(to))) return;
  const host = to.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) ? [host] : await resolve(host).catch(() => []);
  if (addresses.length === 0 || !addresses.every(isPublic))
    throw new Refusal('forbidden', `${from.host} may not redirect to ${to.host}, which is not public.`);
}

function redirectOf({ statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  const location = headers['location'];
  return [301, 302, 303, 307, 308].includes(statusCode) && typeof location === 'string'
    ? location
    : undefined;
}

/** The request a redirect asks for (RFC 9110, 15.4): 307 and 308 repeat it, the others turn it into a GET. */
function nextHop(from: Hop, status: number, location: string): Hop {
  const url = checkedUrl(location, from.url);
  const repeat = status === 307 || status === 308 || from.method === 'HEAD';
  const home = url.origin === from.url.origin;
  const headers = Object.entries(from.headers).filter(
    ([name]) => (home || HARMLESS.has(name)) && (repeat || !name.startsWith('content-')),
  );
  if (!home && repeat && from.body !== undefined)
    throw new Refusal('forbidden', `The body is not sent on to another origin (${url.origin}).`);
  return {
    method: repeat ? from.method : 'GET',
    url,
    headers: Object.fromEntries(headers),
    body: repeat ? from.body : undefined,
  };
}

function checkedUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (url === null) throw new Refusal('invalid_argument', `"${text}" is not a URL.`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Refusal('invalid_argument', `Only http and https are sent to, not ${url.protocol}`);
  if (url.username !== '' || url.password !== '')
    throw new Refusal('invalid_argument', 'Credentials belong in a header, not in the URL.');
  return url;
}

/** Undefined for one that is larger. */
async function readBody(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Checks in the connector, since undici asks no `lookup` for addresses written as numbers. */
function guardedConnector({ allowed, sandboxed, resolve, transport }: Ways): buildConnector.connector {
  return (target, callback) => {
    const port = portOf(target);
    if (allowed.has(target.hostname, port)) return transport(target, undefined, callback);
    if (sandboxed) return callback(outside(target.hostname, port), null);
    checkedAddresses(target.hostname, resolve).then(
      (addresses) => transport(target, addresses, callback),
      (error: Error) => callback(error, null),
    );
  };
}

/** The port, also where it is the usual one. */
const portOf = ({ protocol, port }: { readonly protocol: string; readonly port: string }): string =>
  port || (protocol === 'https:' ? '443' : '80');

const outside = (host: string, port: string): Refusal =>
  new Refusal(
    'forbidden',
    `This workspace is a sandbox, and ${host}:${port} is not in its list (sandbox.allow).`,
  );

const connectTo: Transport = (target, addresses, callback) => {
  buildConnector(addresses === undefined ? {} : { lookup: answering(addresses) })(target, callback);
};

/** A `lookup` that knows only these addresses. */
function answering(addresses: readonly string[]): LookupFunction {
  const records = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    if (options.all) callback(null, records);
    else callback(null, records[0]?.address ?? '', records[0]?.family ?? 4);
  };
}

const lowerCase = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

function flat(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value ?? ''].flat().join(', ')]),
  );
}

function asNetworkRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return new Refusal('too_large', `The head of the answer is larger than ${MAX_HEAD} bytes.`, {
      cause: error,
    });
  if (code === 'UND_ERR_INVALID_ARG') return new Refusal('invalid_argument', `${message}.`, { cause: error });
  return new Refusal('unavailable', `No answer: ${code ?? message}.`, { cause: error });
}
