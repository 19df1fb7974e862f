import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../../src/core/message.ts';
import { answer, bench, failure, signed, source } from './bench.ts';

describe('refused', () => {
  const problem = async (response: Response): Promise<[number, unknown, string | null]> => {
    const body = (await response.json()) as { code: string };
    return [response.status, body.code, response.headers.get('content-type')];
  };
  const TYPE = 'application/problem+json';

  test('forged, counted and without a message', async () => {
    const { post, received, refused } = await bench();
    const response = await post(failure(), { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` });
    expect(await problem(response)).toEqual([401, 'unauthenticated', TYPE]);
    expect(await problem(await post(failure(), { 'x-hub-signature-256': '' }))).toEqual([
      401,
      'unauthenticated',
      TYPE,
    ]);
    expect(received).toEqual([]);
    expect(refused).toEqual(['github', 'github']);
  });

  test('everything while no secret is set', async () => {
    const { post, adapter } = await bench(undefined, { secrets: () => [] });
    expect(await problem(await post(failure()))).toEqual([401, 'unauthenticated', TYPE]);
    expect(adapter.health()).toEqual({
      state: 'off',
      reason: 'set GITHUB_WEBHOOK_SECRET to hear from github',
    });
  });

  test('an empty secret is no secret', async () => {
    const { post } = await bench(undefined, { secrets: () => [''] });
    const signature = `sha256=${createHmac('sha256', '').update(failure()).digest('hex')}`;
    expect((await post(failure(), { 'x-hub-signature-256': signature })).status).toBe(401);
  });

  test.each([
    ['malformed JSON', '{"a":', {}, 400, 'malformed'],
    ['an empty body', '', {}, 400, 'malformed'],
    ['half a surrogate pair', '{"a":"\\ud800"}', {}, 400, 'malformed'],
    ['half a surrogate pair in a key', '{"\\udc00":1}', {}, 400, 'malformed'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), {}, 400, 'malformed'],
    ['endless nesting', '['.repeat(100_000) + ']'.repeat(100_000), {}, 400, 'malformed'],
    ['another content type', failure(), { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    [
      'another charset',
      failure(),
      { 'content-type': 'application/json; charset=utf-16' },
      415,
      'unsupported_media_type',
    ],
    ['a compressed body', gzipSync(failure()), { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['5 MB', JSON.stringify({ a: 'x'.repeat(5_000_000) }), {}, 413, 'too_large'],
    [
      'a form without payload',
      'a=1',
      { 'content-type': 'application/x-www-form-urlencoded' },
      400,
      'malformed',
    ],
    [
      'a form with two',
      'payload=1&payload=2',
      { 'content-type': 'application/x-www-form-urlencoded' },
      400,
      'malformed',
    ],
    ['an endless delivery id', failure(), { 'x-github-delivery': 'd'.repeat(300) }, 400, 'malformed'],
  ])('%s', async (_what, body, headers, status, code) => {
    const { post, received } = await bench();
    expect(await problem(await post(body, headers))).toEqual([status, code, TYPE]);
    expect(received).toEqual([]);
    expect((await post(failure())).status).toBe(200);
  });

  test('a body that is malformed is not told from any other before the signature holds', async () => {
    const { post } = await bench();
    const response = await post('{"a":', {
      'x-hub-signature-256': `sha256=${'0'.repeat(64)}`,
      'content-type': 'x/y',
    });
    expect(response.status).toBe(401);
  });

  test('a repeated header', async () => {
    const { url, received } = await bench();
    const body = failure();
    const status = await new Promise((resolve, reject) => {
      const headers = { ...signed(body), 'x-github-delivery': ['d1', 'd2'] };
      const call = request(`${url}/webhooks/github`, { method: 'POST', headers }, (res) => {
        res.resume();
        resolve(res.statusCode);
      });
      call.on('error', reject);
      call.end(body);
    });
    expect(status).toBe(401);
    expect(received).toEqual([]);
  });

  test('a delivery without its name is told so, once its signature holds', async () => {
    const ci = source({ name: 'ci', kind: 'hmac', deliveryHeader: 'x-delivery' });
    const { post, received, refused } = await bench([ci]);
    const sign = { 'x-signature-256': signed(failure())['x-hub-signature-256'] ?? '' };
    const unnamed = await post(failure(), sign, '/webhooks/ci');
    expect(unnamed.status).toBe(400);
    expect(await unnamed.json()).toMatchObject({
      code: 'malformed',
      detail: 'The header x-delivery, which names the delivery, is missing or repeated.',
    });
    const forged = await post(failure(), { 'x-signature-256': '0'.repeat(64) }, '/webhooks/ci');
    expect(await problem(forged)).toEqual([401, 'unauthenticated', TYPE]);
    expect([received, refused]).toEqual([[], ['ci']]);
    expect((await post(failure(), { ...sign, 'x-delivery': '1' }, '/webhooks/ci')).status).toBe(200);
  });

  test('an unknown source, another method', async () => {
    const { post, url } = await bench();
    expect(await problem(await post(failure(), {}, '/webhooks/nobody'))).toEqual([404, 'not_found', TYPE]);
    const get = await fetch(`${url}/webhooks/github`);
    expect(get.headers.get('allow')).toBe('POST, OPTIONS');
    expect(await problem(get)).toEqual([405, 'method_not_allowed', TYPE]);
  });

  test('after a stop, which waits for what runs', async () => {
    const gate = Promise.withResolvers<Answer>();
    const entered = Promise.withResolvers<void>();
    const receive = (): Promise<Answer> => {
      entered.resolve();
      return gate.promise;
    };
    const { post, adapter } = await bench(undefined, { receive });
    const pending = post(failure());
    await entered.promise;
    const stopped = adapter.stop(new AbortController().signal);
    const late = await post(failure());
    expect([late.status, late.headers.get('retry-after')]).toEqual([503, '5']);
    gate.resolve(answer());
    await stopped;
    expect((await pending).status).toBe(200);
  });

  test('a stop does not wait longer than its deadline', async () => {
    const entered = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<Answer>();
    const receive = (): Promise<Answer> => {
      entered.resolve();
      return gate.promise;
    };
    const { post, adapter } = await bench(undefined, { receive });
    const pending = post(failure());
    await entered.promise;
    await adapter.stop(AbortSignal.abort());
    gate.resolve(answer());
    expect((await pending).status).toBe(200);
  });
});
