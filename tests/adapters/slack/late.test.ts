import { RespondError } from '@slack/bolt';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { answer, isDoneWithin, LATENESS, type Told } from '../../../adapters/slack/late.ts';
import type { Outbound } from '../../../src/core/adapter.ts';
import { CHANNEL, setUp, soon } from './support.ts';

const lateness = { after: 10, pauses: [1, 1] };
const USER = { user: 'U1', channel: CHANNEL };

/** An adapter whose pipeline answers when the gate opens. */
async function slow(mode: 'http' | 'socket') {
  const parts = await setUp(mode, { lateness });
  const gate = Promise.withResolvers<void>();
  parts.pipeline.before = () => gate.promise;
  return { ...parts, open: gate.resolve };
}

describe.each(['http', 'socket'] as const)('over %s', (mode) => {
  test('a command that takes long is acknowledged, and its answer takes the place of that', async () => {
    const { slack, open, received } = await slow(mode);
    const taken = await slack.slashCommand('status', USER);
    expect(taken.body).toEqual({ response_type: 'ephemeral', text: 'Still working on it…' });
    expect(slack.responseUrlPosts).toEqual([]);
    open();
    await soon(() => slack.responseUrlPosts).toHaveLength(1);
    expect(slack.responseUrlPosts[0]).toMatchObject({
      user: 'U1',
      response_type: 'ephemeral',
      replace_original: true,
      text: 'Done.',
    });
    expect(received).toHaveLength(1);
  });

  test('a click that takes long is acknowledged, and answered beside its message', async () => {
    const { slack, open, adapter } = await slow(mode);
    const actions = [{ label: 'Go', invocation: { command: 'go', args: {} } }];
    await adapter.notifier?.send(
      { channel: 'slack', to: CHANNEL },
      { key: 'k1', reply: { text: 'Go?', actions } },
    );
    const [card] = slack.messages;
    if (card === undefined) throw new Error('no card');
    expect(await slack.clickButton(card, 'Go', 'U1')).toMatchObject({ status: 200 });
    expect(slack.responseUrlPosts).toEqual([]);
    open();
    await soon(() => slack.responseUrlPosts).toHaveLength(1);
    expect(slack.responseUrlPosts[0]).toMatchObject({ replace_original: false, text: 'Done.' });
  });

  test('the stop waits for an answer that is late', async () => {
    const { slack, open, adapter } = await slow(mode);
    await slack.slashCommand('status', USER);
    const stopped = adapter.stop(new AbortController().signal);
    open();
    await stopped;
    expect(slack.responseUrlPosts).toMatchObject([{ text: 'Done.' }]);
  });
});

test('what is done in time, is over at once', async () => {
  expect(await isDoneWithin(60_000, Promise.resolve())).toBe(true);
  expect(await isDoneWithin(1, new Promise(() => undefined))).toBe(false);
  await expect(isDoneWithin(60_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
});

test('Slack is not kept waiting for its three seconds, and no response_url is used up', () => {
  expect(LATENESS.after).toBeLessThan(2_500);
  expect(LATENESS.pauses.length + 1).toBeLessThan(5);
});

describe('an answer that its response_url', () => {
  const secret = ['xox', 'b-', '1'.repeat(12), '-', 'f'.repeat(24)].join('');
  const TOLD = {
    shown: { text: 'Done.', blocks: [] },
    reply: { text: `Your key is ${secret}` },
    user: 'U1',
  };

  /** Answers through a response_url that fails as it is told; returns what was tried, and what went to whom directly. */
  async function tell(failures: readonly Error[], told: Told = TOLD) {
    const left = [...failures];
    const tried: object[] = [];
    const direct: (Outbound & { to: string })[] = [];
    const notifier = {
      send: ({ to }: { to: string }, message: Outbound) => {
        direct.push({ ...message, to });
        return Promise.resolve({ externalId: 'D1:1.1' });
      },
    };
    const respond = (message: object | string) => {
      tried.push(Object(message) as object);
      const failure = left.shift();
      return failure ? Promise.reject(failure) : Promise.resolve(new Response());
    };
    const options = { lateness, notifier, log: pino({ level: 'silent' }) };
    await answer(respond, told, { replace_original: true }, options);
    return { tried, direct };
  }

  test('does not take at first is tried again', async () => {
    const { tried, direct } = await tell([new Error('the connection broke'), new RespondError('busy', 503)]);
    expect(tried).toHaveLength(3);
    expect(direct).toEqual([]);
  });

  test('never takes is told directly, without secrets', async () => {
    const { tried, direct } = await tell(Array.from({ length: 9 }, () => new RespondError('busy', 429)));
    expect(tried).toHaveLength(3);
    expect(direct).toMatchObject([{ to: 'U1' }]);
    expect(direct[0]?.reply.text).toMatch(/^I could not answer where you asked:\nYour key is /);
    expect(direct[0]?.reply.text).not.toContain(secret);
  });

  test('refuses for good is told directly at once', async () => {
    const { tried, direct } = await tell([new RespondError('used_url', 404)]);
    expect(tried).toHaveLength(1);
    expect(direct).toHaveLength(1);
  });

  test('refuses, of a payload that names nobody, is given up', async () => {
    const { direct } = await tell([new RespondError('used_url', 404)], { ...TOLD, user: undefined });
    expect(direct).toEqual([]);
  });
});
