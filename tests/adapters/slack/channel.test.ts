import { describe, expect, test } from 'vitest';
import type { Reply } from '../../../src/core/message.ts';
import { CHANNEL, setUp, TEAM, soon } from './support.ts';

const APPROVAL: Reply = {
  text: 'APR-1 asks to run deploy.',
  actions: [
    {
      label: 'Approve',
      invocation: { command: 'approval.approve', args: { approval: 'APR-1', digest: 'abc' } },
      style: 'primary',
    },
    { label: 'Deny', invocation: { command: 'approval.deny', args: { approval: 'APR-1' } }, style: 'danger' },
  ],
};

describe.each(['http', 'socket'] as const)('over %s', (mode) => {
  test('a slash command is answered in its acknowledgement', async () => {
    const { slack, received } = await setUp(mode);
    const taken = await slack.slashCommand('task create "Fix &amp; go"', {
      user: 'U1',
      channel: CHANNEL,
      triggerId: 't1',
    });
    expect(taken.status).toBe(200);
    expect(taken.body).toMatchObject({ response_type: 'ephemeral', text: 'Done.' });
    expect(received).toEqual([
      {
        channel: 'slack',
        from: {
          workspace: 'main',
          channel: 'slack',
          subject: `${TEAM}/U1`,
          assurance: 'slack',
          scopes: ['*'],
        },
        body: { text: 'task create "Fix & go"' },
        dedupeKey: `slack:${TEAM}:t1`,
        conversation: `slack:${CHANNEL}:U1`,
        origin: { channel: 'slack', to: CHANNEL, context: { user: 'U1' } },
      },
    ]);
  });

  test('/sb is another word for it, and nothing typed asks for help', async () => {
    const { slack, received } = await setUp(mode);
    await slack.slashCommand('  ', { user: 'U1', channel: CHANNEL, command: '/sb' });
    expect(received.map((message) => message.body)).toEqual([{ text: 'help' }]);
  });

  test('a mention is handed on with its thread as the place for the answer', async () => {
    const { slack, received } = await setUp(mode);
    const taken = await slack.event(`<@${slack.botUser}> task list`, {
      user: 'U1',
      channel: CHANNEL,
      eventId: 'Ev1',
      thread: '1700000000.000100',
    });
    expect(taken.status).toBe(200);
    expect(received[0]).toMatchObject({
      body: { text: 'task list' },
      dedupeKey: `slack:${TEAM}:Ev1`,
      conversation: `slack:${CHANNEL}:1700000000.000100`,
      replyTo: { channel: 'slack', to: CHANNEL, thread: '1700000000.000100', context: { user: 'U1' } },
    });
  });

  test('a mention outside a thread opens one', async () => {
    const { slack, received } = await setUp(mode);
    await slack.event(`<@${slack.botUser}>`, {
      user: 'U1',
      channel: CHANNEL,
      inner: { ts: '1700000000.000200' },
    });
    expect(received[0]).toMatchObject({
      body: { text: 'help' },
      replyTo: { to: CHANNEL, thread: '1700000000.000200' },
    });
  });

  const direct = { type: 'message', channel_type: 'im' };

  test('a direct message needs no mention, and is answered beside it', async () => {
    const { slack, received } = await setUp(mode);
    const taken = await slack.event('task list', {
      user: 'U1',
      channel: 'D0ANA',
      eventId: 'Ev7',
      inner: direct,
    });
    expect(taken.status).toBe(200);
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({
      from: { subject: `${TEAM}/U1` },
      body: { text: 'task list' },
      dedupeKey: `slack:${TEAM}:Ev7`,
      conversation: 'slack:D0ANA:U1',
      replyTo: { channel: 'slack', to: 'D0ANA' },
    });
    expect(received[0]?.replyTo).not.toHaveProperty('thread');
  });

  test('in a thread of a direct conversation the answer goes into the thread', async () => {
    const { slack, received } = await setUp(mode);
    const thread = '1700000000.000300';
    await slack.event(`<@${slack.botUser}> yes`, { user: 'U1', channel: 'D0ANA', thread, inner: direct });
    expect(received[0]).toMatchObject({
      body: { text: 'yes' },
      conversation: `slack:D0ANA:${thread}`,
      replyTo: { to: 'D0ANA', thread },
    });
  });

  test.each([
    ['our own answer', { ...direct, bot_id: 'B0FAKE001' }],
    ['a changed line', { ...direct, subtype: 'message_changed' }],
    ['a deleted line', { ...direct, subtype: 'message_deleted' }],
    ['a line of a channel', { type: 'message', channel_type: 'channel' }],
    ['a line among several people', { type: 'message', channel_type: 'mpim' }],
  ])('%s runs nothing', async (_, inner) => {
    const { slack, received } = await setUp(mode);
    const taken = await slack.event('task create x', { user: 'U1', channel: 'D0ANA', inner });
    expect(taken.status).toBe(200);
    expect(received).toEqual([]);
  });

  test('an event is acknowledged only after it was received', async () => {
    const { slack, pipeline } = await setUp(mode);
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    pipeline.before = () => {
      entered.resolve();
      return gate.promise;
    };
    const taken = slack
      .event(`<@${slack.botUser}> status`, { user: 'U1', channel: CHANNEL })
      .then(() => order.push('acknowledged'));
    await entered.promise;
    // A round trip to the same fake: an acknowledgement sent before the commit would be here by now.
    await fetch(`${slack.url}/nothing`, { method: 'POST' });
    order.push('committed');
    gate.resolve();
    await taken;
    expect(order).toEqual(['committed', 'acknowledged']);
  });

  test('a click runs what the button carries and tells the clicker alone', async () => {
    const { slack, adapter, received } = await setUp(mode);
    await adapter.notifier?.send({ channel: 'slack', to: CHANNEL }, { key: 'k1', reply: APPROVAL });
    const [card] = slack.messages;
    if (card === undefined) throw new Error('no card');
    const taken = await slack.clickButton(card, 'Approve', 'U2', { triggerId: 't9' });
    expect(taken).toMatchObject({ status: 200 });
    expect(received[0]).toMatchObject({
      from: { subject: `${TEAM}/U2` },
      body: { command: 'approval.approve', args: { approval: 'APR-1', digest: 'abc' } },
      dedupeKey: `slack:${TEAM}:t9`,
      conversation: `slack:${CHANNEL}:U2`,
      origin: { channel: 'slack', to: CHANNEL, context: { user: 'U2' } },
    });
    expect(received[0]).not.toHaveProperty('replyTo');
    await soon(() => slack.responseUrlPosts).toHaveLength(1);
    expect(slack.responseUrlPosts[0]).toMatchObject({
      user: 'U2',
      response_type: 'ephemeral',
      replace_original: false,
      text: 'Done.',
    });
  });

  test('a click in a thread belongs to the thread', async () => {
    const { slack, adapter, received } = await setUp(mode);
    const thread = '1700000000.000100';
    await adapter.notifier?.send({ channel: 'slack', to: CHANNEL, thread }, { key: 'k1', reply: APPROVAL });
    const [card] = slack.messages;
    if (card === undefined) throw new Error('no card');
    await slack.clickButton(card, 'approval.deny', 'U2');
    expect(received[0]).toMatchObject({
      conversation: `slack:${CHANNEL}:${thread}`,
      origin: { channel: 'slack', to: CHANNEL, thread },
    });
    await soon(() => slack.responseUrlPosts[0]?.thread_ts).toBe(thread);
  });

  test('a refusal is explained, with what a report of it should name', async () => {
    const { slack, pipeline } = await setUp(mode);
    pipeline.reply = { text: 'There is no command `tsk list`. Did you mean:' };
    pipeline.error = { code: 'unknown_command', suggestions: ['task list', 'task show'] };
    const taken = await slack.slashCommand('tsk list', { user: 'U1', channel: CHANNEL });
    const text = 'There is no command `tsk list`. Did you mean:\ntask list\ntask show';
    expect(taken.body).toMatchObject({ text, blocks: [{ text: { text } }, {}] });
    expect(JSON.stringify(taken.body)).toContain('unknown_command · correlation-1');
  });

  test('unknown buttons, commands and events are taken and do nothing', async () => {
    const { slack, received } = await setUp(mode);
    const message = { channel: CHANNEL, text: 'x', blocks: [] };
    const taken = [
      await slack.clickButton(message, { action_id: 'somebody-elses', value: '{}' }, 'U1'),
      await slack.slashCommand('x', { user: 'U1', channel: CHANNEL, command: '/other' }),
      await slack.event('x', { user: 'U1', channel: CHANNEL, inner: { type: 'reaction_added' } }),
    ];
    expect(taken.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(received).toEqual([]);
  });

  test.each(['not json', '{}', '{"command":1,"args":{}}', '[]'])(
    'a button with the value %s is out of date',
    async (value) => {
      const { slack, received } = await setUp(mode);
      const message = { channel: CHANNEL, text: 'x', blocks: [] };
      await slack.clickButton(message, { action_id: 'run:0:x', value }, 'U1');
      await soon(() => slack.responseUrlPosts[0]?.text).toMatch(/out of date/);
      expect(received).toEqual([]);
    },
  );

  test.each([
    ['another bot', { bot_id: 'B9' }],
    ['an edit', { edited: { user: 'U1', ts: '1700000000.000300' } }],
    ['a changed message', { type: 'message', subtype: 'message_changed' }],
    ['a deleted message', { type: 'message', subtype: 'message_deleted' }],
    ['a subtype', { subtype: 'bot_message' }],
  ])('%s is ignored', async (_, inner) => {
    const { slack, received } = await setUp(mode);
    const taken = await slack.event(`<@${slack.botUser}> status`, { user: 'U1', channel: CHANNEL, inner });
    expect(taken.status).toBe(200);
    expect(received).toEqual([]);
  });

  test('our own messages are ignored', async () => {
    const { slack, received } = await setUp(mode);
    await slack.event(`<@${slack.botUser}> status`, { user: slack.botUser, channel: CHANNEL });
    expect(received).toEqual([]);
  });

  test('retries and repeats reach the pipeline with the same key', async () => {
    const { slack, received } = await setUp(mode);
    const options = { user: 'U1', channel: CHANNEL, eventId: 'Ev7' };
    await slack.event(`<@${slack.botUser}> status`, options);
    await slack.event(`<@${slack.botUser}> status`, { ...options, retryNum: 1, retryReason: 'http_timeout' });
    expect(received.map((message) => message.dedupeKey)).toEqual([`slack:${TEAM}:Ev7`, `slack:${TEAM}:Ev7`]);
  });

  test('what is meant for another team is refused', async () => {
    const { slack, received } = await setUp(mode);
    const message = { channel: CHANNEL, text: 'x', blocks: [] };
    const status = mode === 'http' ? 403 : 200;
    const stranger = { user: 'U1', channel: CHANNEL, team: 'T0OTHER01' };
    const taken = [
      await slack.slashCommand('status', stranger),
      await slack.event('status', stranger),
      await slack.clickButton(message, { action_id: 'run:0:x', value: '{}' }, 'U1', { team: 'T0OTHER01' }),
    ];
    expect(taken.map((one) => one.status)).toEqual(taken.map(() => status));
    expect(received).toEqual([]);
  });

  test('running work is finished before the stop', async () => {
    const { slack, adapter, pipeline } = await setUp(mode);
    const gate = Promise.withResolvers<void>();
    const entered = Promise.withResolvers<void>();
    pipeline.before = () => {
      entered.resolve();
      return gate.promise;
    };
    const taken = slack.slashCommand('status', { user: 'U1', channel: CHANNEL });
    await entered.promise;
    const stopped = adapter.stop(new AbortController().signal);
    gate.resolve();
    await stopped;
    expect((await taken).status).toBe(200);
    expect(adapter.health()).toEqual({ state: 'off', reason: 'stopped' });
  });
});
