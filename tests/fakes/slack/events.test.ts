import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { stage, type Stage } from './support.ts';

const DM = { user: 'U0ANA' };
const eventOf = (all: Stage, index: number): unknown => all.delivered[index]?.payload['event'];

/** An app on a socket that acknowledges everything it gets. */
async function socketApp({
  call,
}: Stage): Promise<{ envelopes: Record<string, unknown>[]; acks: boolean[] }> {
  const { url } = await call('apps.connections.open', {}, 'xapp-fake');
  const socket = new WebSocket(String(url));
  const envelopes: Record<string, unknown>[] = [];
  const acks: boolean[] = [];
  const greeted = new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Record<string, unknown>;
      if (frame['type'] === 'hello') return resolve();
      envelopes.push(frame);
      if (acks.shift() !== false) socket.send(JSON.stringify({ envelope_id: frame['envelope_id'] }));
    });
  });
  await greeted;
  return { envelopes, acks };
}

describe('direct messages', () => {
  test('come with their channel, and are edited and deleted', async () => {
    const all = await stage();
    const said = await all.slack.directMessage('stauts', { ...DM, thread: '1.000001' });
    expect(said).toMatchObject({ status: 200, channel: 'D0ANA' });
    await all.slack.editMessage(said, 'status');
    await all.slack.deleteMessage(said);
    expect(eventOf(all, 0)).toMatchObject({
      type: 'message',
      channel_type: 'im',
      channel: 'D0ANA',
      text: 'stauts',
      thread_ts: '1.000001',
    });
    expect(eventOf(all, 1)).toMatchObject({
      subtype: 'message_changed',
      hidden: true,
      message: { text: 'status', ts: said.ts, edited: { user: 'U0ANA' } },
      previous_message: { text: 'stauts' },
    });
    expect(eventOf(all, 2)).toMatchObject({ subtype: 'message_deleted', deleted_ts: said.ts });
    expect(all.slack.state().messages).toEqual([]);
    all.slack.assertClean();
  });

  test('of strangers say whose they are', async () => {
    const all = await stage({ users: [{ id: 'U0OUT', isStranger: true, teamId: 'T0OTHER' }] });
    await all.slack.directMessage('status', { user: 'U0OUT' });
    expect(all.delivered[0]?.payload).toMatchObject({
      is_ext_shared_channel: true,
      event: { team: 'T0OTHER', user_team: 'T0OTHER' },
    });
  });
});

describe('the echo', () => {
  test('of what the bot posts and changes in a direct message comes after the answer', async () => {
    const all = await stage();
    const { ts, channel } = await all.call('chat.postMessage', { channel: 'U0ANA', text: 'Done.' });
    await all.slack.settled();
    await all.call('chat.update', { channel, ts, text: 'Undone.' });
    await all.call('chat.postMessage', { channel: 'C0OPS', text: 'Not heard.' });
    await all.slack.settled();
    expect(all.delivered).toHaveLength(2);
    expect(eventOf(all, 0)).toMatchObject({
      type: 'message',
      bot_id: 'B0FAKE001',
      app_id: 'A0FAKE001',
      user: all.slack.botUser,
      channel_type: 'im',
      ts,
    });
    expect(eventOf(all, 1)).toMatchObject({ subtype: 'message_changed', message: { text: 'Undone.' } });
    all.slack.assertClean();
  });

  test('comes over a socket as well', async () => {
    const all = await stage();
    const { envelopes } = await socketApp(all);
    await all.call('chat.postMessage', { channel: 'U0ANA', text: 'Done.' });
    await all.slack.settled();
    expect(envelopes).toMatchObject([
      { type: 'events_api', payload: { event: { text: 'Done.', bot_id: 'B0FAKE001' } }, retry_attempt: 0 },
    ]);
  });

  test('is lost where nobody listens', async () => {
    const all = await stage();
    all.slack.pointTo('http://127.0.0.1:1/slack/events');
    await all.call('chat.postMessage', { channel: 'U0ANA', text: 'Done.' });
    await all.slack.settled();
    expect(all.slack.violations).toEqual([]);
  });
});

test('a muted Slack takes calls and sends nothing', async () => {
  const { slack, call, delivered } = await stage();
  slack.muted = true;
  expect(await slack.directMessage('status', DM)).toMatchObject({ status: 0 });
  expect(await slack.openHome('U0ANA')).toMatchObject({ status: 0 });
  expect(await call('chat.postMessage', { channel: 'U0ANA', text: 'x' })).toMatchObject({ ok: true });
  await slack.settled();
  expect(delivered).toEqual([]);
  slack.muted = false;
  await slack.directMessage('status', DM);
  expect(delivered).toHaveLength(1);
});

describe('an event that was not acknowledged', () => {
  const waits: number[] = [];
  const options = () => {
    waits.length = 0;
    const wait = (milliseconds: number): Promise<void> => {
      waits.push(milliseconds);
      return Promise.resolve();
    };
    return { retries: true, wait };
  };

  test('comes again three times, at once, after one minute and after five', async () => {
    const { slack, delivered, app } = await stage(options());
    app.reply = () => ({ status: 500 });
    expect(await slack.directMessage('status', DM)).toMatchObject({ status: 500 });
    expect(waits).toEqual([0, 60_000, 300_000]);
    expect(delivered.map(({ headers }) => headers['x-slack-retry-num'])).toEqual([undefined, '1', '2', '3']);
    expect(delivered[1]?.headers['x-slack-retry-reason']).toBe('http_error');
    expect(new Set(delivered.map(({ payload }) => payload['event_id'])).size).toBe(1);
    expect(slack.state().messages).toHaveLength(1);
  });

  test('comes no more once it is, or where the app wants none', async () => {
    const { slack, delivered, app } = await stage(options());
    app.reply = () => ({ status: delivered.length > 1 ? 200 : 503 });
    expect(await slack.directMessage('status', DM)).toMatchObject({ status: 200 });
    expect(delivered).toHaveLength(2);
    app.reply = () => ({ status: 500, headers: { 'x-slack-no-retry': '1' } });
    await slack.directMessage('status', DM);
    expect(delivered).toHaveLength(3);
  });

  test('comes again when the app takes too long', async () => {
    const { slack, delivered, app } = await stage({ ...options(), patience: 50 });
    app.reply = () => ({ hang: delivered.length === 1 });
    await slack.directMessage('status', DM);
    expect(delivered[1]?.headers['x-slack-retry-reason']).toBe('http_timeout');
  });

  test('comes again over a socket', async () => {
    const all = await stage({ ...options(), patience: 50 });
    const { envelopes, acks } = await socketApp(all);
    acks.push(false);
    expect(await all.slack.directMessage('status', DM)).toMatchObject({ status: 200 });
    expect(envelopes).toMatchObject([
      { retry_attempt: 0, retry_reason: '' },
      { retry_attempt: 1, retry_reason: 'timeout' },
    ]);
  });
});

test('a message shortcut names the message', async () => {
  const { slack, delivered } = await stage();
  const { channel, ts } = await slack.event('Please fix', { ...DM, channel: 'C0OPS' });
  await slack.messageShortcut(
    'task_from_message',
    { channel, ts, text: 'Please fix', user: 'U0ANA' },
    'U0BEN',
  );
  expect(delivered[1]?.payload).toMatchObject({
    type: 'message_action',
    callback_id: 'task_from_message',
    message_ts: ts,
    message: { ts, text: 'Please fix', user: 'U0ANA' },
    channel: { id: 'C0OPS' },
    user: { id: 'U0BEN' },
  });
});

describe('rates', () => {
  test('let one message a second into a channel, and one more', async () => {
    const { slack, call, clock } = await stage({ rates: true });
    const post = async (channel: string) => (await call('chat.postMessage', { channel, text: 'x' }))['error'];
    expect([await post('C1'), await post('C1'), await post('C1'), await post('C2')]).toEqual([
      undefined,
      undefined,
      'ratelimited',
      undefined,
    ]);
    expect(slack.rateLimited).toEqual([{ method: 'chat.postMessage', channel: 'C1' }]);
    clock.pass(1_000);
    expect([await post('C1'), await post('C1')]).toEqual([undefined, 'ratelimited']);
  });

  test('let a method be called so often a minute', async () => {
    const { slack, call, clock } = await stage({ rates: true });
    for (let count = 0; count < 20; count += 1) await call('users.list', {});
    const response = await fetch(`${slack.apiUrl}users.list`, { method: 'POST' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '3']);
    clock.pass(3_000);
    expect(await call('users.list', {})).toMatchObject({ ok: true });
  });
});
