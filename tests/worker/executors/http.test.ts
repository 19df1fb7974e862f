import type { Server, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { HttpExecutor } from '../../../src/domain/runbook.ts';
import { runHttp } from '../../../src/worker/executors/http.ts';
import { retryAfter } from '../../../src/worker/executors/retry-after.ts';
import { createGuardedFetch } from '../../../src/worker/guard.ts';
import { deps, execution, NOW, runbook, serve, type Seen } from './bench.ts';
import { bounds } from '../../support/runbook.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function far(answer: (res: ServerResponse) => void): Promise<{ url: string; seen: Seen[] }> {
  const served = await serve((res) => answer(res));
  servers.push(served.server);
  return served;
}
const book = (url: string, changes: Partial<HttpExecutor> = {}): ReturnType<typeof runbook> =>
  runbook({
    kind: 'http',
    method: 'POST',
    url,
    headers: {},
    body: undefined,
    expectStatus: [200, 201],
    result: undefined,
    ...changes,
  });
const answering = (
  status: number,
  headers: Record<string, string> = {},
  body = '',
): Promise<{ url: string; seen: Seen[] }> => far((res) => res.writeHead(status, headers).end(body));

describe('the request', () => {
  test('carries filled templates and the idempotency key', async () => {
    const { url, seen } = await answering(201, {}, '{"id":7}');
    const executor: Partial<HttpExecutor> = {
      headers: {
        Authorization: 'Bearer ${env:DEPLOY_TOKEN}',
        'Content-Type': 'application/json',
        'Idempotency-key': 'other',
        'Signalbox-Cause': 'JOB-1',
      },
      body: '{"ref":"${args.ref}","count":${args.count}}',
    };
    const run = execution(book(`${url}/apps/\${args.app}`, executor), {
      app: 'a/b c',
      ref: 'x" , "y',
      count: 2,
    });
    const outcome = await runHttp(run, deps());
    expect(outcome).toMatchObject({ kind: 'done', result: { status: 201, body: '{"id":7}' } });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      method: 'POST',
      url: '/apps/a%2Fb%20c',
      headers: {
        authorization: 'Bearer fake-deploy-token',
        'idempotency-key': 'job-7',
        'signalbox-cause': 'JOB-7',
      },
    });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ ref: 'x" , "y', count: 2 });
    expect(run.lines).toHaveLength(1);
    expect(run.lines[0]).toMatch(/^info POST http:.* -> 201 in \d+ ms$/);
  });

  test('escapes arguments in a form', async () => {
    const { url, seen } = await answering(200);
    const executor = {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=${args.a}&b=1',
    };
    await runHttp(execution(book(url, executor), { a: '1&b=2' }), deps());
    expect(seen[0]?.body).toBe('a=1%26b%3D2&b=1');
  });

  test.each<[string, Partial<HttpExecutor>, JsonObject, string]>([
    ['a missing argument', { body: '${args.nothing}' }, {}, 'The runbook needs the argument "nothing".'],
    [
      'a missing variable',
      { headers: { a: '${env:NOTHING}' } },
      {},
      'The environment variable NOTHING is not set.',
    ],
    [
      'a body that is no JSON any more',
      { body: '{"a": ${args.a}}' },
      { a: '1, "b": 2' },
      'The body is not JSON once',
    ],
    [
      'a header that would smuggle another',
      { headers: { a: '${args.a}' } },
      { a: 'b\r\nc: d' },
      'invalid a header',
    ],
  ])('%s fails, and nothing is sent', async (_what, executor, args, reason) => {
    const { url, seen } = await answering(200);
    const outcome = await runHttp(execution(book(url, executor), args), deps());
    expect(outcome).toMatchObject({ kind: 'fail', reason: expect.stringContaining(reason) });
    expect(seen).toEqual([]);
  });
});

describe('the outcome', () => {
  test.each([
    [404, 'fail', 'refused'],
    [302, 'fail', 'refused'],
    [408, 'retry', 'timeout'],
    [429, 'retry', 'rate_limited'],
    [500, 'retry', 'server'],
    [503, 'retry', 'server'],
  ] as const)('of status %d is %s: %s', async (status, kind, failure) => {
    const { url } = await answering(status);
    const outcome = await runHttp(execution(book(url)), deps());
    expect(outcome).toMatchObject({ kind, failure, reason: `expected status 200 or 201, got ${status}` });
  });

  test('waits as long as it is asked to', async () => {
    const { url } = await answering(429, { 'retry-after': '7' });
    expect(await runHttp(execution(book(url)), deps())).toMatchObject({
      kind: 'retry',
      failure: 'rate_limited',
      after: 7_000,
    });
  });

  test('a redirect that is expected is not followed', async () => {
    const { url, seen } = await answering(303, { location: '/elsewhere' });
    const outcome = await runHttp(execution(book(url, { expectStatus: [303] })), deps());
    expect(outcome).toMatchObject({ kind: 'done', result: { status: 303 } });
    expect(seen).toHaveLength(1);
  });

  test('no answer, a late one: another try', async () => {
    expect(await runHttp(execution(book('http://127.0.0.1:1/')), deps())).toMatchObject({
      kind: 'retry',
      failure: 'network',
    });
    const { url } = await far(() => undefined);
    const late = runbook(book(url).executor, { timeout: 50 });
    expect(await runHttp(execution(late), deps())).toEqual({
      kind: 'retry',
      failure: 'timeout',
      bound: 'timeout',
      reason: 'No whole answer within 50 ms.',
    });
  });

  test('a destination that is not allowed: no other try', async () => {
    const { url } = await answering(200);
    const closed = deps({ fetch: createGuardedFetch({ allowedHosts: [] }) });
    expect(await runHttp(execution(book(url)), closed)).toMatchObject({
      kind: 'fail',
      stage: 'start',
      reason: expect.stringContaining('allowedHosts'),
    });
  });

  test('an answer over the bound: as its status says, and one that was expected was done', async () => {
    const outcome = async (status: number, headers = {}) => {
      const { url } = await answering(status, headers, 'x'.repeat(2_000));
      return runHttp(
        execution(runbook(book(url).executor, { bounds: bounds({ outputBytes: 1_000 }) })),
        deps(),
      );
    };
    const large = 'its body is larger than 1000 bytes (bounds.outputBytes)';
    const stopped = { kind: 'fail', failure: 'refused', bound: 'bounds.outputBytes' };
    expect(await outcome(201)).toEqual({
      ...stopped,
      stage: 'report',
      reason: `status 201, but ${large}`,
      result: { status: 201 },
    });
    const reason = 'expected status 200 or 201, got 400';
    expect(await outcome(400)).toEqual({ ...stopped, reason: `${reason}, and ${large}` });
    expect(await outcome(502)).toMatchObject({ kind: 'retry', failure: 'server' });
    expect(await outcome(429, { 'retry-after': '7' })).toMatchObject({ kind: 'retry', after: 7_000 });
  });

  test('a cancel', async () => {
    const cancel = new AbortController();
    const { url } = await far(() => cancel.abort());
    expect(await runHttp(execution(book(url), {}, cancel.signal), deps())).toEqual({ kind: 'cancelled' });
  });

  test('an environment value comes back neither in the log nor in the result', async () => {
    const served = await serve((res, req) =>
      res.writeHead(400).end(`you sent ${String(req.headers['x-token'])}`),
    );
    servers.push(served.server);
    const run = execution(
      book(`${served.url}/?token=\${env:DEPLOY_TOKEN}`, { headers: { 'x-token': '${env:DEPLOY_TOKEN}' } }),
    );
    const outcome = await runHttp(run, deps());
    expect(outcome).toMatchObject({ kind: 'fail', result: { body: 'you sent [redacted]' } });
    expect(JSON.stringify([outcome, run.lines])).not.toContain('fake-deploy-token');
  });
});

describe('the result', () => {
  const mapped = (
    result: Record<string, string>,
    body: string,
    usage?: Record<string, string>,
    changes: Parameters<typeof runbook>[1] = {},
  ) =>
    answering(201, { 'content-type': 'application/json', 'x-id': '7' }, body).then(({ url }) => {
      const run = execution(runbook(book(url, { result, usage }).executor, changes));
      return runHttp(run, deps()).then((outcome) => ({ outcome, ...run }));
    });

  test('is mapped from status, headers and a JSON body', async () => {
    const { outcome } = await mapped(
      { status: 'status', id: 'headers["x-id"]', names: 'body.items.map(i, i.name)' },
      '{"items":[{"name":"a"},{"name":"b"}]}',
    );
    expect(outcome).toEqual({ kind: 'done', result: { status: 201, id: '7', names: ['a', 'b'] } });
  });

  test('is mapped from a body that is no JSON, as text', async () => {
    expect((await mapped({ said: 'body' }, 'plain')).outcome).toEqual({
      kind: 'done',
      result: { said: 'plain' },
    });
  });

  test('holds no secret that went out, and nothing that a database cannot hold', async () => {
    const served = await serve((res, req) =>
      res.end(JSON.stringify({ echo: [req.headers['x-token'], 'a\0b', '\ud800'] })),
    );
    servers.push(served.server);
    const executor = { headers: { 'x-token': '${env:DEPLOY_TOKEN}' }, result: { echo: 'body.echo' } };
    const outcome = await runHttp(execution(book(served.url, executor)), deps());
    expect(outcome).toEqual({ kind: 'done', result: { echo: ['[redacted]', 'a\uFFFDb', '\uFFFD'] } });
  });

  test.each([
    ['a field that is not there', { id: 'body.id' }, '{}', 'its result could not be mapped: CEL'],
    [
      'one that is too large',
      { all: 'body' },
      JSON.stringify('x'.repeat(70_000)),
      'larger than 65536 characters',
    ],
  ])('%s fails, and is not sent again: it was done', async (_what, result, body, reason) => {
    const { outcome, effects } = await mapped(result, body);
    expect(outcome).toMatchObject({ kind: 'fail', stage: 'report', reason: expect.stringContaining(reason) });
    expect(effects).toMatchObject([{ outcome: '201' }]);
  });

  test('tells what was used; what cannot be read of it is logged', async () => {
    const usage = { tokens: 'body.usage.total', cost: 'body.usage.cost' };
    const good = await mapped({ ok: 'true' }, '{"usage":{"total":12,"cost":"0.5"}}', usage);
    expect(good.outcome).toEqual({
      kind: 'done',
      result: { ok: true },
      usage: { units: { tokens: 12 }, cost: 500_000 },
    });
    const bad = await mapped({ ok: 'true' }, '{"usage":{"total":-1,"cost":0}}', usage);
    expect(bad.outcome).toEqual({ kind: 'done', result: { ok: true } });
    expect(bad.lines.at(-1)).toContain('err the usage could not be read');
  });
});

describe('the receipt', () => {
  const receipts = async (run: ReturnType<typeof execution>, over = deps()) => {
    await runHttp(run, over);
    return run.effects;
  };

  test('names the origin and path, without query and secrets, and what came of it', async () => {
    const { url } = await answering(200, {}, 'hello');
    const run = execution(book(`${url}/\${env:DEPLOY_TOKEN}/x?key=1`));
    expect(await receipts(run)).toEqual([
      {
        kind: 'http',
        target: `${url}/[redacted]/x`,
        outcome: '200',
        result: { status: 200, latency: expect.any(Number), body: 'hello' },
        startedAt: NOW,
        endedAt: NOW,
      },
    ]);
  });

  test('is there for what got no answer, one too late or one too large, and for a redirect that is refused', async () => {
    expect(await receipts(execution(book('http://127.0.0.1:1/')))).toMatchObject([{ outcome: 'no answer' }]);
    const { url } = await far(() => undefined);
    expect(await receipts(execution(runbook(book(url).executor, { timeout: 50 })))).toMatchObject([
      { outcome: 'timeout' },
    ]);
    const large = await answering(200, {}, 'x'.repeat(2_000));
    const small = runbook(book(large.url).executor, { bounds: bounds({ outputBytes: 1_000 }) });
    expect(await receipts(execution(small))).toMatchObject([{ outcome: '200' }]);
    const away = await answering(302, { location: 'http://10.0.0.1/' });
    expect(await receipts(execution(book(away.url)))).toMatchObject([{ outcome: 'unreadable answer' }]);
  });

  test('is not there for what was never sent', async () => {
    expect(await receipts(execution(book('http://10.0.0.1/')))).toEqual([]);
    expect(await receipts(execution(book('http://127.0.0.1/${args.none}')))).toEqual([]);
  });
});

test('JSON that is nested too deeply is text, so that what was done is not sent again', async () => {
  const body = `${'['.repeat(3_000)}${']'.repeat(3_000)}`;
  const { url, seen } = await answering(200, {}, body);
  const mapped = await runHttp(execution(book(url, { result: { x: 'body' } })), deps());
  expect(mapped).toEqual({ kind: 'done', result: { x: body } });
  const within = await runHttp(execution(book(url, { result: { x: 'body[0]' } })), deps());
  expect(within).toMatchObject({ kind: 'fail', stage: 'report' });
  expect(seen).toHaveLength(2);
});

test('an answer with too large a head is not asked for again', async () => {
  const { url, seen } = await answering(200, { 'x-large': 'x'.repeat(20_000) });
  const run = execution(book(url));
  const outcome = await runHttp(run, deps());
  expect(outcome).toEqual({
    kind: 'fail',
    failure: 'refused',
    reason: 'The head of the answer is larger than 16384 bytes.',
  });
  expect([seen.length, run.effects.length]).toEqual([1, 1]);
});

test('a webhook that answers after the time-out is not listened to any more', async () => {
  let answer: () => void = () => undefined;
  const closed = Promise.withResolvers<void>();
  const { url } = await far((res) => {
    res.once('close', closed.resolve);
    answer = () => res.writeHead(200).end('{"late":true}');
  });
  const run = execution(runbook(book(url).executor, { timeout: 50 }));
  expect(await runHttp(run, deps())).toMatchObject({ kind: 'retry', failure: 'timeout' });
  answer();
  await closed.promise;
  expect(run.effects).toMatchObject([{ outcome: 'timeout', result: null }]);
  expect(run.lines).toEqual([]);
});

describe('in a sandbox', () => {
  const sandbox = { allow: [], shell: [] };
  // Joined, so that no scanner takes it for the real thing.
  const LIVE = ['sk', 'live', 'z'.repeat(24)].join('_');

  test.each<[string, Partial<HttpExecutor>, string]>([
    ['a header', { headers: { authorization: 'Bearer ${env:KEY}' } }, 'the header authorization'],
    ['the body', { body: '${env:KEY}' }, 'the body'],
    ['the address', { url: 'http://127.0.0.1:1/?key=${env:KEY}' }, 'the address'],
  ])('a live key in %s does not go out, and is not shown', async (_what, executor, where) => {
    const { url, seen } = await answering(200);
    const run = execution(book(url, executor));
    const outcome = await runHttp(run, deps({ sandbox, env: { KEY: LIVE } }));
    expect(outcome).toMatchObject({ kind: 'fail', stage: 'start', reason: expect.stringContaining(where) });
    expect(JSON.stringify([outcome, run.lines, run.effects])).not.toContain(LIVE);
    expect([seen, run.effects]).toEqual([[], []]);
    expect(
      await runHttp(execution(book(url, { headers: { a: '${env:KEY}' } })), deps({ env: { KEY: LIVE } })),
    ).toMatchObject({ kind: 'done' });
  });

  test('a live key in base64 does not go out, and what may be a test’s does', async () => {
    const { url, seen } = await answering(200);
    const send = (value: string) =>
      runHttp(
        execution(book(url, { headers: { authorization: '${env:KEY}' } })),
        deps({ sandbox, env: { KEY: value } }),
      );
    const basic = `Basic ${Buffer.from(`${LIVE}:`).toString('base64')}`;
    expect(await send(basic)).toMatchObject({ kind: 'fail', stage: 'start' });
    const jwt = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiJleGFtcGxlIn0', 'c2ln'].join('.');
    expect(await send(`Bearer ${jwt}`)).toMatchObject({ kind: 'done' });
    expect(seen).toHaveLength(1);
  });

  test('only what is in its list is reached, not even the public internet', async () => {
    const { url, seen } = await answering(200);
    const authority = new URL(url).host;
    const only = deps({ fetch: createGuardedFetch({ allowedHosts: [authority], sandboxed: true }) });
    expect(await runHttp(execution(book(url)), only)).toMatchObject({ kind: 'done' });
    for (const outside of ['https://example.com/', 'http://93.184.215.14/', 'http://127.0.0.1:1/'])
      expect(await runHttp(execution(book(outside)), only)).toMatchObject({
        kind: 'fail',
        stage: 'start',
        reason: expect.stringMatching(/sandbox, and .* is not in its list \(sandbox\.allow\)/),
      });
    expect(seen).toHaveLength(1);
  });
});

describe('an environment value that a URL normalizes', () => {
  const KEY = 'p@ss w"rd{1}\\n';
  const withKey = (): ReturnType<typeof deps> => deps({ env: { KEY } });
  const templated = (url: string): ReturnType<typeof runbook> =>
    book(`${url}/\${env:KEY}?key=\${env:KEY}`, { method: 'GET' });

  test('is hidden in the log and in the echo of URL, header and JSON', async () => {
    const served = await serve((res, req) => {
      const echo = { url: req.url, raw: KEY, form: new URLSearchParams({ KEY }).toString() };
      res.writeHead(200).end(JSON.stringify(echo));
    });
    servers.push(served.server);
    const run = execution(templated(served.url));
    const outcome = await runHttp(run, withKey());
    const told = JSON.stringify([outcome, run.lines]);
    expect(served.seen).toHaveLength(1);
    expect(run.lines[0]).toMatch(
      /^info GET http:\/\/127\.0\.0\.1:\d+\/\[redacted\]\?key=\[redacted\] -> 200 in/,
    );
    expect(outcome).toMatchObject({
      result: { body: '{"url":"/[redacted]?key=[redacted]","raw":"[redacted]","form":"KEY=[redacted]"}' },
    });
    expect(told).not.toMatch(/p(?:@|%40)ss/i);
  });

  test('is hidden in the reason of a failure', async () => {
    const run = execution(book('${env:KEY}', { method: 'GET' }));
    const outcome = await runHttp(run, withKey());
    expect(outcome).toMatchObject({ kind: 'fail', stage: 'start', reason: '"[redacted]" is not a URL.' });
  });
});

describe('retryAfter', () => {
  test.each([
    [undefined, undefined],
    ['120', 120_000],
    ['Fri, 20 Nov 2026 12:00:30 GMT', 30_000],
    ['Friday, 20-Nov-26 12:00:30 GMT', 30_000],
    ['Fri, 20 Nov 2026 11:00:00 GMT', 0],
    ['0', 0],
    ['soon', undefined],
    ['1.5', undefined],
    ['-5', undefined],
    ['3 hours', undefined],
  ])('%s', (value, expected) => {
    expect(retryAfter(value, NOW)).toBe(expected);
  });
});
