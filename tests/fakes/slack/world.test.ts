import { describe, expect, test } from 'vitest';
import { plain, stage } from './support.ts';

const DM = { user: 'U0ANA' };

describe('users', () => {
  test('are members until told otherwise', async () => {
    const { slack, call } = await stage();
    slack.addUser({ id: 'U0GUS', name: 'gus', isUltraRestricted: true });
    slack.addUser({ id: 'U0STRANGER', isStranger: true, teamId: 'T0OTHER' });
    slack.deleteUser('U0GONE');
    const info = async (user: string) => (await call('users.info', { user }))['user'];
    expect(await info('U0ANA')).toMatchObject({ team_id: 'T0TEAM001', is_bot: false, is_restricted: false });
    expect(await info('U0GUS')).toMatchObject({
      name: 'gus',
      is_restricted: true,
      is_ultra_restricted: true,
    });
    expect(await info('U0STRANGER')).toMatchObject({ team_id: 'T0OTHER', is_stranger: true });
    expect(await info('U0GONE')).toMatchObject({ deleted: true });
    expect(await info(slack.botUser)).toMatchObject({ is_bot: true });
    expect(await call('users.info', { user: 'nobody' })).toEqual({ ok: false, error: 'user_not_found' });
  });

  test('are listed page by page', async () => {
    const { call } = await stage({ users: [{ id: 'U0ANA' }, { id: 'U0BEN' }] });
    const first = await call('users.list', { limit: 2 });
    expect(first).toMatchObject({ members: [{ is_bot: true }, { id: 'U0ANA' }] });
    const { next_cursor: cursor } = first['response_metadata'] as { next_cursor: string };
    expect(await call('users.list', { limit: 2, cursor })).toMatchObject({
      members: [{ id: 'U0BEN' }],
      response_metadata: { next_cursor: '' },
    });
  });
});

describe('channels', () => {
  test('refuse in the words of Slack', async () => {
    const { slack, call } = await stage();
    slack.archive('C0OLD');
    slack.removeBot('C0OUT');
    slack.removeBot('G0OUT');
    slack.deleteUser('U0GONE');
    const post = async (channel: string) => (await call('chat.postMessage', { channel, text: 'x' }))['error'];
    expect(await post('C0OLD')).toBe('is_archived');
    expect(await post('C0OUT')).toBe('not_in_channel');
    expect(await post('G0OUT')).toBe('channel_not_found');
    expect(await post('general')).toBe('channel_not_found');
    expect(await post('U0GONE')).toBe('user_disabled');
    expect(await call('conversations.open', { users: 'U0GONE' })).toMatchObject({ error: 'user_disabled' });
    expect(await call('conversations.history', { channel: 'C0OUT' })).toMatchObject({
      error: 'not_in_channel',
    });
    slack.assertClean();
  });

  test('of one user and the bot are direct messages', async () => {
    const { slack, call } = await stage();
    expect(await call('conversations.open', { users: 'U0ANA' })).toMatchObject({ channel: { id: 'D0ANA' } });
    expect(await call('chat.postMessage', { channel: 'U0ANA', text: 'x' })).toMatchObject({
      channel: 'D0ANA',
    });
    expect(slack.messages).toMatchObject([{ channel: slack.dmOf('U0ANA') }]);
  });
});

describe('history', () => {
  const metadata = { event_type: 'signalbox_message', event_payload: { key: 'k1' } };

  test('shows metadata to whoever asks for it', async () => {
    const { slack, call } = await stage();
    await call('chat.postMessage', { channel: 'C0OPS', text: 'x', metadata });
    const [plainly, fully] = [
      await call('conversations.history', { channel: 'C0OPS' }),
      await call('conversations.history', { channel: 'C0OPS', include_all_metadata: true }),
    ];
    expect(plainly).toMatchObject({ messages: [{ text: 'x', bot_id: 'B0FAKE001' }], has_more: false });
    expect((plainly['messages'] as object[])[0]).not.toHaveProperty('metadata');
    expect(fully).toMatchObject({ messages: [{ metadata }] });
    expect(await call('chat.postMessage', { channel: 'C0OPS', text: 'x', metadata: { event: 1 } })).toEqual({
      ok: false,
      error: 'invalid_metadata_format',
    });
    expect(slack.violations).toHaveLength(1);
  });

  test('goes back from the newest, by time and page', async () => {
    const { slack, call } = await stage();
    for (const text of ['one', 'two', 'three']) await slack.directMessage(text, DM);
    const [one, , three] = slack.state().messages;
    const texts = async (params: object): Promise<unknown[]> => {
      const answer = await call('conversations.history', { channel: 'D0ANA', ...params });
      return (answer['messages'] as { text: string }[]).map(({ text }) => text);
    };
    expect(await texts({})).toEqual(['three', 'two', 'one']);
    expect(await texts({ oldest: one?.ts, latest: three?.ts })).toEqual(['two']);
    expect(await texts({ oldest: one?.ts, inclusive: true, limit: 2 })).toEqual(['three', 'two']);
    expect(await texts({ limit: 2, cursor: '2' })).toEqual(['one']);
  });

  test('keeps answers in their thread', async () => {
    const { call } = await stage();
    const { ts } = await call('chat.postMessage', { channel: 'C0OPS', text: 'root' });
    await call('chat.postMessage', { channel: 'C0OPS', text: 'answer', thread_ts: ts });
    expect(await call('conversations.history', { channel: 'C0OPS' })).toMatchObject({
      messages: [{ text: 'root' }],
    });
    expect(await call('conversations.replies', { channel: 'C0OPS', ts })).toMatchObject({
      messages: [{ text: 'root' }, { text: 'answer', thread_ts: ts }],
    });
    expect(await call('conversations.replies', { channel: 'C0OPS', ts: '1.000000' })).toMatchObject({
      error: 'thread_not_found',
    });
  });
});

describe('scopes', () => {
  test('are wanted by each method, by the kind of conversation', async () => {
    const { slack, call } = await stage({ scopes: ['chat:write', 'im:history'] });
    expect(await call('conversations.history', { channel: 'D0ANA' })).toMatchObject({ ok: true });
    expect(await call('conversations.history', { channel: 'C0OPS' })).toEqual({
      ok: false,
      error: 'missing_scope',
      needed: 'channels:history',
      provided: 'chat:write,im:history',
    });
    expect(() => slack.assertClean()).toThrow(/channels:history is missing/);
  });

  test('bring the events', async () => {
    const { slack, delivered } = await stage({ scopes: ['chat:write'] });
    await slack.directMessage('status', DM);
    await slack.event('status', { ...DM, channel: 'C0OPS' });
    expect(delivered).toEqual([]);
  });
});

describe('an update', () => {
  test('is of what the bot itself said, and keeps the blocks that it does not name', async () => {
    const { slack, call } = await stage();
    const blocks = [{ type: 'section', text: plain('old') }];
    const { ts, channel } = await call('chat.postMessage', { channel: 'U0ANA', text: 'old', blocks });
    await call('chat.update', { channel, ts, text: 'new' });
    expect(slack.messages).toMatchObject([{ text: 'new', blocks }]);
    await call('chat.update', { channel, ts, text: 'new', blocks: [] });
    expect(slack.messages).toMatchObject([{ text: 'new', blocks: [] }]);
    const said = await slack.directMessage('mine', DM);
    expect(await call('chat.update', { channel, ts: said.ts, text: 'x' })).toMatchObject({
      error: 'cant_update_message',
    });
    slack.assertClean();
    await call('chat.update', { channel: 'U0ANA', ts, text: 'x' });
    expect(() => slack.assertClean()).toThrow(/a user id is no channel/);
  });
});

describe('the state', () => {
  test('has all that people see, in order, and tells of changes', async () => {
    const { slack, call, app } = await stage({ channels: [{ id: 'C0OPS', name: 'ops' }] });
    let changes = 0;
    const unlisten = slack.onChange(() => (changes += 1));
    await slack.directMessage('status', DM);
    app.reply = () => ({ body: { response_type: 'ephemeral', text: 'All is well.' } });
    await slack.slashCommand('status', { user: 'U0ANA', channel: 'C0OPS' });
    await call('chat.postMessage', { channel: 'C0OPS', text: 'Done.' });
    const state = slack.state();
    expect(JSON.parse(JSON.stringify(state))).toMatchObject({
      team: { id: 'T0TEAM001' },
      users: [{ isBot: true }, { id: 'U0ANA', isBot: false }],
      channels: [
        { id: 'C0OPS', name: 'ops', kind: 'channel' },
        { id: 'D0ANA', kind: 'dm', user: 'U0ANA' },
      ],
      messages: [
        { channel: 'D0ANA', user: 'U0ANA', text: 'status' },
        { channel: 'C0OPS', botName: 'Signalbox', text: 'All is well.', ephemeralFor: 'U0ANA' },
        { channel: 'C0OPS', botName: 'Signalbox', text: 'Done.' },
      ],
    });
    expect(changes).toBeGreaterThan(2);
    unlisten();
    const before = changes;
    await call('chat.postMessage', { channel: 'C0OPS', text: 'Again.' });
    expect(changes).toBe(before);
    expect(state.messages).toHaveLength(3);
  });

  test('follows what a response_url replaces and deletes', async () => {
    const { slack, call, delivered } = await stage();
    await call('chat.postMessage', { channel: 'C0OPS', text: 'card' });
    const [card] = slack.messages;
    if (card === undefined) throw new Error('no card');
    await slack.clickButton(card, { action_id: 'a' }, 'U0ANA');
    const address = String(delivered.at(-1)?.payload['response_url']);
    const respond = (body: object) =>
      fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await respond({ replace_original: true, text: 'decided' });
    expect(slack.state().messages).toMatchObject([{ text: 'decided' }]);
    await respond({ text: 'for you' });
    expect(slack.state().messages).toMatchObject([{ text: 'decided' }, { ephemeralFor: 'U0ANA' }]);
    await respond({ delete_original: true });
    expect(slack.state().messages).toMatchObject([{ text: 'for you' }]);
    slack.assertClean();
  });
});
