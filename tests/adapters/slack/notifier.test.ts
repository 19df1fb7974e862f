import { describe, expect, test } from 'vitest';
import type { Notifier } from '../../../src/core/adapter.ts';
import { CHANNEL, NOW, setUp } from './support.ts';

const TO = { channel: 'slack', to: CHANNEL } as const;
const HELLO = { key: 'k1', reply: { text: 'Hello <you> & *me*' } };

async function start() {
  const { slack, adapter } = await setUp('http');
  const notifier = adapter.notifier as Notifier;
  return { slack, notifier };
}

describe('sending', () => {
  test('posts escaped text with a fallback', async () => {
    const { slack, notifier } = await start();
    const { externalId } = await notifier.send(TO, HELLO);
    expect(slack.messages).toMatchObject([{ channel: CHANNEL, text: 'Hello &lt;you&gt; &amp; *me*' }]);
    expect(externalId).toBe(`${CHANNEL}:${slack.messages[0]?.ts}`);
  });

  test('posts into the thread', async () => {
    const { slack, notifier } = await start();
    await notifier.send({ ...TO, thread: '1700000000.000100' }, HELLO);
    expect(slack.messages[0]?.thread_ts).toBe('1700000000.000100');
  });

  test('replaces an earlier message', async () => {
    const { slack, notifier } = await start();
    const { externalId } = await notifier.send(TO, HELLO);
    const message = { key: 'k2', reply: { text: 'Approved.' }, replaces: externalId };
    expect(await notifier.send(TO, message)).toEqual({ externalId });
    expect(slack.messages).toMatchObject([{ text: 'Approved.' }]);
    expect(slack.updates).toHaveLength(1);
  });
});

describe('another try, after an answer that was lost', () => {
  const triedSince = NOW;

  test.each([
    ['in a channel', TO],
    ['in a thread', { ...TO, thread: '1700000000.000100' }],
  ])('finds what was posted %s, and posts it once', async (_, to) => {
    const { notifier, slack } = await start();
    slack.failNext('chat.postMessage', { drop: true });
    await expect(notifier.send(to, HELLO)).rejects.toThrow('did not take');
    await notifier.send(to, { ...HELLO, key: 'k2' });
    const sent = await notifier.send(to, { ...HELLO, triedSince });
    expect(slack.messages).toHaveLength(2);
    expect(sent.externalId).toBe(`${CHANNEL}:${slack.messages[0]?.ts}`);
  });

  test('shows what it has come to say since the first', async () => {
    const { notifier, slack } = await start();
    slack.failNext('chat.postMessage', { drop: true });
    await expect(notifier.send(TO, HELLO)).rejects.toThrow('did not take');
    await notifier.send(TO, { ...HELLO, reply: { text: 'Changed.' }, triedSince });
    expect(slack.messages.map(({ text }) => text)).toEqual(['Changed.']);
  });

  test('posts it where the first did not arrive, and a first try looks nowhere', async () => {
    const { notifier, slack } = await start();
    await notifier.send(TO, { ...HELLO, triedSince });
    await notifier.send(TO, { ...HELLO, key: 'k2' });
    expect(slack.messages).toHaveLength(2);
    expect(slack.requests.filter(({ method }) => method === 'conversations.history')).toHaveLength(1);
  });

  test.each(['missing_scope', 'not_in_channel', 'method_not_supported_for_channel_type', 'access_denied'])(
    'posts it again where it cannot be told (%s)',
    async (error) => {
      const { notifier, slack } = await start();
      slack.failNext('conversations.history', { error });
      await notifier.send(TO, { ...HELLO, triedSince });
      expect(slack.messages).toHaveLength(1);
    },
  );

  test('waits where the look fails for the time being', async () => {
    const { notifier, slack } = await start();
    slack.failNext('conversations.history', { status: 429, retryAfter: 7 });
    const sent = notifier.send(TO, { ...HELLO, triedSince });
    await expect(sent).rejects.toMatchObject({ code: 'rate_limited', retryAfter: 7_000 });
    expect(slack.messages).toEqual([]);
  });
});

describe('failing', () => {
  test('a rate limit names the wait and holds up no other call', async () => {
    const { slack, notifier } = await start();
    slack.failNext('chat.postMessage', { status: 429, retryAfter: 30 });
    await expect(notifier.send(TO, HELLO)).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfter: 30_000,
    });
    await notifier.send({ ...TO, to: 'C0OTHER01' }, HELLO);
    expect(slack.messages.map(({ channel }) => channel)).toEqual(['C0OTHER01']);
  });

  test.each([
    ['channel_not_found', 'not_found'],
    ['is_archived', 'not_found'],
    ['not_in_channel', 'not_found'],
    ['invalid_auth', 'unauthenticated'],
    ['invalid_blocks', 'invalid_argument'],
    ['ratelimited', 'rate_limited'],
  ])('%s is the refusal %s', async (error, code) => {
    const { slack, notifier } = await start();
    slack.failNext('chat.postMessage', { error });
    await expect(notifier.send(TO, HELLO)).rejects.toMatchObject({ name: 'Refusal', code });
  });

  test.each([{ status: 500 }, { status: 503 }, { error: 'internal_error' }, { status: 429 }])(
    '%o means try again',
    async (failure) => {
      const { slack, notifier } = await start();
      slack.failNext('chat.postMessage', failure);
      await expect(notifier.send(TO, HELLO)).rejects.toMatchObject({ name: 'Error' });
    },
  );

  test('a broken connection is not posted again behind the back of the outbox', async () => {
    const { slack, notifier } = await start();
    slack.failNext('chat.postMessage', { drop: true });
    await expect(notifier.send(TO, HELLO)).rejects.toMatchObject({ name: 'Error' });
    expect(slack.messages).toHaveLength(1);
  });

  test.each(['', 'C1', 'C1:now', '../C1:1.2'])('"%s" is no message to replace', async (replaces) => {
    const { notifier } = await start();
    const sent = notifier.send(TO, { ...HELLO, replaces });
    await expect(sent).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('a message that somebody removed is posted anew', async () => {
    const { notifier, slack } = await start();
    const sent = await notifier.send(TO, { ...HELLO, replaces: `${CHANNEL}:1700000000.000001` });
    expect(slack.messages).toMatchObject([{ channel: CHANNEL, text: 'Hello &lt;you&gt; &amp; *me*' }]);
    expect(sent).toEqual({ externalId: `${CHANNEL}:${slack.messages[0]?.ts}` });
  });

  test('another channel is none of its addresses', async () => {
    const { notifier } = await start();
    const sent = notifier.send({ channel: 'email', to: 'ana@example.test' }, HELLO);
    await expect(sent).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
