import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { buildConnector } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { Refusal } from '../../src/domain/errors.ts';
import { createGuardedFetch, type GuardedRequest, type Transport } from '../../src/worker/guard.ts';

type Handler = (req: IncomingMessage, res: ServerResponse) => void;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(handler: Handler): Promise<{ port: number; seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = [];
  const server = createServer((req, res) => {
    seen.push(req);
    handler(req, res);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, seen };
}

const call = (url: string, more: Partial<GuardedRequest> = {}): GuardedRequest => ({
  method: 'GET',
  url,
  timeout: 5_000,
  maxBytes: 10_000,
  ...more,
});
const codeOf = (error: unknown): unknown => (error instanceof Refusal ? error.code : error);
const outcome = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'sent', codeOf);

describe('destinations', () => {
  test('loopback in any spelling is refused without a connection', async () => {
    const { port, seen } = await serve((_req, res) => res.end());
    const request = createGuardedFetch({ allowedHosts: [] });
    const hosts = [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '0177.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::ffff:127.0.0.1]',
      '0',
      '127.0.0.1.',
    ];
    for (const host of hosts)
      expect([host, await outcome(request(call(`http://${host}:${port}/`)))]).toEqual([host, 'forbidden']);
    expect(seen).toEqual([]);
  });

  test('a name that leads inside is refused, also when only one of its addresses does', async () => {
    const resolve = async (): Promise<string[]> => ['93.184.216.34', '10.0.0.7'];
    const request = createGuardedFetch({ allowedHosts: [], resolve });
    expect(await outcome(request(call('http://inside.test/')))).toBe('forbidden');
  });

  test('the connection goes to the addresses that were checked, and the name is asked for once', async () => {
    const { port, seen } = await serve((_req, res) => res.end('hello'));
    const answers = [['93.184.216.34'], ['127.0.0.1']];
    const opened: unknown[] = [];
    const transport: Transport = (target, addresses, callback) => {
      opened.push([target.hostname, addresses]);
      const socket = connect(port, '127.0.0.1', () => callback(null, socket));
    };
    const resolve = async (): Promise<string[]> => answers.shift() ?? [];
    const request = createGuardedFetch({ allowedHosts: [], resolve, transport });
    const answer = await request(call('http://public.test/a'));
    expect(answer).toMatchObject({ status: 200, url: 'http://public.test/a', redirects: 0 });
    expect(answer.body.toString()).toBe('hello');
    expect(opened).toEqual([['public.test', ['93.184.216.34']]]);
    expect(seen[0]?.headers.host).toBe('public.test');
    expect(await outcome(request(call('http://public.test/a')))).toBe('forbidden');
  });

  test('an operator opens a destination by name, with or without its port', async () => {
    const { port } = await serve((_req, res) => res.end());
    const open = (entry: string, host = '127.0.0.1'): Promise<unknown> =>
      outcome(createGuardedFetch({ allowedHosts: [entry] })(call(`http://${host}:${port}/`)));
    expect(await open('127.0.0.1')).toBe('sent');
    expect(await open(`127.0.0.1:${port}`)).toBe('sent');
    expect(await open('LocalHost', 'localhost')).toBe('sent');
    expect(await open(`127.1:${port}`)).toBe('sent');
    expect(await open(`127.0.0.1:${port + 1}`)).toBe('forbidden');
    expect(await open('localhost')).toBe('forbidden');
  });

  test.each([
    ['file:///etc/passwd', 'invalid_argument'],
    ['ftp://example.test/', 'invalid_argument'],
    ['http://ana:fake@127.0.0.1/', 'invalid_argument'],
    ['//nowhere', 'invalid_argument'],
    ['', 'invalid_argument'],
  ])('%s is no destination', async (url, code) => {
    expect(await outcome(createGuardedFetch({ allowedHosts: ['127.0.0.1'] })(call(url)))).toBe(code);
  });
});

describe('redirects', () => {
  const local = createGuardedFetch({ allowedHosts: ['127.0.0.1', 'localhost'] });

  test('each hop is checked', async () => {
    const inside = await serve((_req, res) => res.end('secret'));
    const { port } = await serve((_req, res) => {
      res.writeHead(302, { location: `http://127.0.0.1:${inside.port}/` }).end();
    });
    const request = createGuardedFetch({ allowedHosts: [`127.0.0.1:${port}`] });
    expect(await outcome(request(call(`http://127.0.0.1:${port}/`)))).toBe('forbidden');
    expect(inside.seen).toEqual([]);
  });

  test('what is open by name is not open to a public site that redirects there', async () => {
    const inside = await serve((_req, res) => res.end('inside'));
    const outside = await serve((_req, res) => {
      res.writeHead(302, { location: `http://inside.test:${inside.port}/` }).end();
    });
    const resolve = async (name: string) => [name === 'inside.test' ? '10.0.0.7' : '93.184.216.34'];
    const transport: Transport = (target, _addresses, callback) =>
      buildConnector({})({ ...target, hostname: '127.0.0.1' }, callback);
    const ask = (url: string, ...more: string[]) =>
      outcome(createGuardedFetch({ allowedHosts: ['inside.test', ...more], resolve, transport })(call(url)));
    expect(await ask(`http://outside.test:${outside.port}/`)).toBe('forbidden');
    expect(inside.seen).toEqual([]);
    expect(await ask(`http://inside.test:${inside.port}/`)).toBe('sent');
    expect(await ask(`http://outside.test:${outside.port}/`, 'outside.test')).toBe('sent');
  });

  test('credentials stay with their origin', async () => {
    const other = await serve((_req, res) => res.end());
    const { port, seen } = await serve((req, res) => {
      const to = req.url === '/' ? '/here' : `http://localhost:${other.port}/there`;
      res.writeHead(302, { location: to }).end();
    });
    const headers = { Authorization: 'Bearer fake', 'X-Api-Key': 'fake', Accept: 'text/plain' };
    const answer = await local(call(`http://127.0.0.1:${port}/`, { headers }));
    expect(answer).toMatchObject({ redirects: 2, url: `http://localhost:${other.port}/there` });
    expect(seen[1]?.headers).toMatchObject({ authorization: 'Bearer fake', 'x-api-key': 'fake' });
    expect(other.seen[0]?.headers).toMatchObject({ accept: 'text/plain', 'user-agent': 'signalbox' });
    expect(other.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(other.seen[0]?.headers).not.toHaveProperty('x-api-key');
  });

  test('303 turns a POST into a GET; 308 repeats it, but not to another origin', async () => {
    const { port, seen } = await serve((req, res) => {
      if (req.url === '/done') return res.end();
      const [, status, host] = (req.url ?? '').split('/');
      return res.writeHead(Number(status), { location: `http://${host}:${port}/done` }).end();
    });
    const post = (path: string): Promise<unknown> =>
      outcome(
        local(
          call(`http://127.0.0.1:${port}${path}`, {
            method: 'POST',
            body: '{}',
            headers: { 'content-type': 'a/b' },
          }),
        ),
      );
    expect(await post('/303/127.0.0.1')).toBe('sent');
    expect(seen[1]?.method).toBe('GET');
    expect(seen[1]?.headers).not.toHaveProperty('content-type');
    expect(await post('/308/127.0.0.1')).toBe('sent');
    expect(seen[3]).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'a/b', 'content-length': '2' },
    });
    expect(await post('/307/localhost')).toBe('forbidden');
  });

  test('not for ever, not to other schemes, and not at all when asked', async () => {
    const { port, seen } = await serve((req, res) => {
      res.writeHead(301, { location: req.url === '/file' ? 'file:///etc/passwd' : '/again' }).end();
    });
    expect(await outcome(local(call(`http://127.0.0.1:${port}/`)))).toBe('forbidden');
    expect(seen).toHaveLength(6);
    expect(await outcome(local(call(`http://127.0.0.1:${port}/file`)))).toBe('invalid_argument');
    expect(await local(call(`http://127.0.0.1:${port}/`, { maxRedirects: 0 }))).toMatchObject({
      status: 301,
      headers: { location: '/again' },
    });
  });
});

describe('bounds', () => {
  const local = createGuardedFetch({ allowedHosts: ['127.0.0.1'] });

  test('a body over the limit', async () => {
    const { port } = await serve((_req, res) => res.end('x'.repeat(10_001)));
    expect(await outcome(local(call(`http://127.0.0.1:${port}/`)))).toBe('too_large');
  });

  test('a body without end', async () => {
    const { port } = await serve((_req, res) => {
      const more = (): boolean => res.write('x'.repeat(1_000)) && more();
      res.on('drain', more);
      more();
    });
    expect(await outcome(local(call(`http://127.0.0.1:${port}/`)))).toBe('too_large');
  });

  test('a compressed body is not inflated', async () => {
    const { port, seen } = await serve((_req, res) => {
      res.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(5_000_000)));
    });
    const answer = await local(call(`http://127.0.0.1:${port}/`, { headers: { 'Accept-Encoding': 'gzip' } }));
    expect(answer.body.length).toBeLessThan(10_000);
    expect(seen[0]?.headers['accept-encoding']).toBe('identity');
  });

  test('an answer that never comes, or never ends', async () => {
    const { port } = await serve((req, res) => {
      if (req.url === '/half') res.writeHead(200, { 'content-length': '100' }).write('x');
    });
    for (const path of ['/', '/half']) {
      const error = await local(call(`http://127.0.0.1:${port}${path}`, { timeout: 50 })).catch(
        (caught: unknown) => caught,
      );
      expect(error).toMatchObject({ code: 'unavailable', message: 'No whole answer within 50 ms.' });
    }
  });

  test('a name that never resolves', async () => {
    const request = createGuardedFetch({ allowedHosts: [], resolve: () => new Promise(() => undefined) });
    expect(await outcome(request(call('http://slow.test/', { timeout: 50 })))).toBe('unavailable');
  });

  test('a connection that breaks, a port nobody listens on, a name nobody has', async () => {
    const { port } = await serve((req) => req.socket.destroy());
    expect(await outcome(local(call(`http://127.0.0.1:${port}/`)))).toBe('unavailable');
    expect(await outcome(local(call('http://127.0.0.1:1/')))).toBe('unavailable');
    const resolve = async (): Promise<string[]> => {
      throw new Error('ENOTFOUND');
    };
    expect(
      await outcome(createGuardedFetch({ allowedHosts: [], resolve })(call('http://nobody.test/'))),
    ).toBe('unavailable');
  });

  test('a cancel throws its reason', async () => {
    const cancel = new AbortController();
    const { port } = await serve(() => cancel.abort(new Error('cancelled by ana')));
    await expect(local(call(`http://127.0.0.1:${port}/`, { signal: cancel.signal }))).rejects.toThrow(
      'cancelled by ana',
    );
  });

  test('a header that would smuggle another', async () => {
    const { port, seen } = await serve((_req, res) => res.end());
    expect(
      await outcome(local(call(`http://127.0.0.1:${port}/`, { headers: { 'x-a': 'b\r\nx-c: d' } }))),
    ).toBe('invalid_argument');
    expect(seen).toEqual([]);
  });

  test('tells status, headers and latency', async () => {
    const { port } = await serve((_req, res) => {
      res.writeHead(204, { 'X-A': ['1', '2'], etag: '"e"' }).end();
    });
    const answer = await local(call(`http://127.0.0.1:${port}/`, { method: 'HEAD' }));
    expect(answer).toMatchObject({ status: 204, headers: { 'x-a': '1, 2', etag: '"e"' } });
    expect(answer.latency).toBeGreaterThan(0);
  });
});
