import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Answer, Inbound } from '../../../src/core/message.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { answer, bench, failure, NOW, rule, SECRET, source } from './bench.ts';

describe('a genuine delivery', () => {
  test('becomes a message of the source with typed arguments', async () => {
    const { post, received } = await bench();
    const response = await post(failure());
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ results: [answer()] });
    expect(received).toEqual([
      {
        channel: 'webhook',
        from: {
          workspace: 'main',
          channel: 'source',
          subject: 'github',
          assurance: 'signature',
          scopes: ['*'],
        },
        body: { command: 'task.create', args: { title: 'CI failed: main' } },
        dedupeKey: 'webhook:github:d1:failed',
        conversation: 'webhook:github',
        correlationId: 'd1',
        cause: 'webhook:github:d1',
        causes: ['webhook:github:d1'],
      },
    ]);
  });

  test('that no rule wants is acknowledged', async () => {
    const { post, received } = await bench();
    const response = await post(failure(), { 'x-github-event': 'push' });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ results: [] });
    expect(received).toEqual([]);
  });

  test('runs every rule that matches, each with a key of its own', async () => {
    const { post, received } = await bench([
      source({ rules: [rule(), rule({ name: 'two' }), rule({ name: 'no', when: 'false' })] }),
    ]);
    await post(failure());
    expect(received.map((message) => message.dedupeKey)).toEqual([
      'webhook:github:d1:failed',
      'webhook:github:d1:two',
    ]);
  });

  test('again carries the same key, so that the pipeline answers the same', async () => {
    const { post, received } = await bench();
    const [first, second] = [await post(failure()), await post(failure())];
    expect(await second.json()).toEqual(await first.json());
    expect(received[1]?.dedupeKey).toBe(received[0]?.dedupeKey);
  });

  test('as a form, the way GitHub can send it', async () => {
    const { post, received } = await bench();
    const form = new URLSearchParams({ payload: failure('ümlaut') }).toString();
    const response = await post(form, { 'content-type': 'application/x-www-form-urlencoded' });
    expect(response.status).toBe(200);
    expect(received[0]?.body).toEqual({ command: 'task.create', args: { title: 'CI failed: ümlaut' } });
  });

  test('hides signatures and credentials from the rules', async () => {
    const look = rule({ when: 'has(headers.authorization) || headers.exists(h, h.contains("signature"))' });
    const { post, received } = await bench([source({ rules: [look] })]);
    await post(failure(), { authorization: 'Bearer fake' });
    expect(received).toEqual([]);
  });

  test('of a kind that names its delivery in the payload', async () => {
    const stripe = source({
      name: 'stripe',
      kind: 'stripe',
      rules: [rule({ when: 'event == "charge.failed"', args: {} })],
    });
    const { post, received } = await bench([stripe]);
    const body = JSON.stringify({ id: 'evt_1', type: 'charge.failed' });
    const t = NOW.getTime() / 1_000;
    const v1 = createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex');
    const response = await post(body, { 'stripe-signature': `t=${t},v1=${v1}` }, '/webhooks/stripe');
    expect(response.status).toBe(200);
    expect(received[0]?.dedupeKey).toBe('webhook:stripe:evt_1:failed');
  });
});

describe('who it runs as', () => {
  const comment = rule({
    when: 'event == "issue_comment"',
    args: { title: 'payload.comment.body' },
    as: 'payload.comment.user.id',
  });
  const said = JSON.stringify({
    comment: { body: 'job run deploy --env production', user: { id: 666, login: 'ana' } },
  });

  test("a stranger's comment stays an argument and runs as the stranger's own id", async () => {
    const denied = answer({ status: 'error', error: { code: 'forbidden' } });
    const received: Inbound[] = [];
    const receive = async (message: Inbound): Promise<Answer> => {
      received.push(message);
      return denied;
    };
    const { post } = await bench([source({ rules: [comment] })], { receive });
    const response = await post(said, { 'x-github-event': 'issue_comment' });
    expect(response.status).toBe(403);
    expect(received[0]?.from).toMatchObject({ channel: 'github', subject: '666', assurance: 'signature' });
    expect(received[0]?.body).toEqual({
      command: 'task.create',
      args: { title: 'job run deploy --env production' },
    });
  });

  test.each(['null', '""', 'payload.comment.missing', '1.5', '{"id": 1}'])(
    'an author that cannot be read (%s) is no reason to run as the source',
    async (as) => {
      const { post, received } = await bench([source({ rules: [{ ...comment, as }] })]);
      const response = await post(said, { 'x-github-event': 'issue_comment' });
      expect([400, 403]).toContain(response.status);
      expect(received).toEqual([]);
    },
  );

  test('a user id of a private source is told apart from the same id elsewhere', async () => {
    const shop = source({ name: 'shop', kind: 'hmac', rules: [rule({ when: 'true', args: {}, as: '"7"' })] });
    const { post, received } = await bench([shop]);
    const body = '{}';
    const signature = createHmac('sha256', SECRET).update(body).digest('hex');
    await post(body, { 'x-signature-256': signature }, '/webhooks/shop');
    expect(received[0]?.from).toMatchObject({ channel: 'hmac', subject: 'shop/7' });
  });

  test('a branch with flags in its name stays one argument', async () => {
    const { post, received } = await bench();
    await post(failure('x --priority P0'));
    expect(received[0]?.body).toEqual({
      command: 'task.create',
      args: { title: 'CI failed: x --priority P0' },
    });
  });
});

describe('answers', () => {
  test.each([
    [[answer(), answer({ status: 'pending_approval' })], 202],
    [[answer({ status: 'error', error: { code: 'rate_limited', retryAfter: 1_500 } }), answer()], 429],
    [
      [
        answer({ status: 'error', error: { code: 'forbidden' } }),
        answer({ status: 'error', error: { code: 'unavailable' } }),
      ],
      503,
    ],
    [[answer({ status: 'error', error: { code: 'unheard_of' } }), answer()], 500],
  ])('case %#: the status is the worst', async (answers, status) => {
    const replies = [...answers];
    const { post } = await bench([source({ rules: [rule(), rule({ name: 'two' })] })], {
      receive: async () => replies.shift() ?? answer(),
    });
    const response = await post(failure());
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ results: answers });
    expect(response.headers.get('retry-after')).toBe(status === 429 ? '2' : null);
  });

  test('an argument that cannot be filled is answered, and the next rule still runs', async () => {
    const { post, received } = await bench([
      source({ rules: [rule({ args: { title: 'payload.nothing' } }), rule({ name: 'two' })] }),
    ]);
    const response = await post(failure());
    expect(response.status).toBe(400);
    const { results } = (await response.json()) as { results: Answer[] };
    expect(results[0]?.reply.text).toContain(
      'rule failed, argument title: CEL at character 9: No such key: nothing',
    );
    expect(received).toHaveLength(1);
  });

  test('a condition that was written for another payload does not hold', async () => {
    const { post } = await bench([source({ rules: [rule({ when: 'payload.other.thing == 1' })] })]);
    const response = await post(failure());
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ results: [] });
  });
});

describe('configuration', () => {
  test('an expression that does not compile names its place', async () => {
    const broken = source({ rules: [rule({ args: { title: 'payload.' } })] });
    await expect(bench([broken])).rejects.toThrow(Refusal);
    await expect(bench([broken])).rejects.toThrow(
      'webhook github, rule failed, argument title: CEL at character',
    );
  });

  test('health tells which sources cannot be heard', async () => {
    const { adapter } = await bench([source(), source({ name: 'shop', secrets: ['SHOP_SECRET'] })], {
      secrets: (name) => (name === 'shop' ? [] : [SECRET]),
    });
    expect(adapter.health()).toEqual({ state: 'deaf', reason: 'set SHOP_SECRET to hear from shop' });
    expect((await bench()).adapter.health()).toEqual({ state: 'on' });
    expect((await bench([])).adapter.health()).toMatchObject({ state: 'off' });
  });
});

test('a delivery that a job led to says so to whatever it runs; what is no job is refused', async () => {
  const { post, received } = await bench();
  await post(failure(), { 'signalbox-cause': 'JOB-12' });
  expect(received[0]?.causes).toEqual(['JOB-12', 'webhook:github:d1']);
  expect((await post(failure(), { 'signalbox-cause': 'ana' })).status).toBe(400);
});
