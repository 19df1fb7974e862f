import { describe, expect, test } from 'vitest';
import { charge } from '../../support/charge.ts';
import { CHANNEL, prepare, setUp, soon } from '../support.ts';

const WHO = { user: 'U1', channel: CHANNEL };

describe('the connection', () => {
  test('is opened with the app token', async () => {
    const { slack, adapter } = await setUp('socket');
    expect(slack.socket.connections).toBe(1);
    expect(adapter.health()).toEqual({ state: 'on' });
  });

  test.each(['drop', 'refresh'] as const)('is opened again after a %s', async (end) => {
    const { slack, adapter, received } = await setUp('socket');
    slack.socket[end]();
    await soon(() => slack.socket.connections).toBe(2);
    await soon(() => adapter.health().state).toBe('on');
    await slack.slashCommand('status', WHO);
    expect(received).toHaveLength(1);
  });

  test('that cannot be opened leaves the channel deaf and is tried again', async () => {
    const { slack, adapter } = await prepare('socket');
    slack.failNext('apps.connections.open', { status: 500 });
    await adapter.start();
    expect(adapter.health()).toMatchObject({ state: 'deaf' });
    await soon(() => adapter.health().state).toBe('on');
  });

  test('that breaks while it is opened again does not end the process', async () => {
    const { slack, adapter } = await setUp('socket');
    const unhandled: unknown[] = [];
    const note = (reason: unknown): number => unhandled.push(reason);
    process.on('unhandledRejection', note);
    slack.failNext('apps.connections.open', { error: 'invalid_auth' });
    slack.socket.drop();
    await expect
      .poll(() => slack.requests.filter((r) => r.method === 'apps.connections.open').length)
      .toBe(2);
    await soon(() => adapter.health()).toMatchObject({ state: 'deaf' });
    await adapter.stop(new AbortController().signal);
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  test('is refused with a readable error when the app token is wrong', async () => {
    const { slack, adapter } = await prepare('socket', { appToken: 'xapp-wrong' });
    await expect(adapter.start()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(slack.socket.connections).toBe(0);
  });

  test('that never greets does not hold up the stop', async () => {
    const { slack, adapter } = await prepare('socket');
    slack.socket.greets = false;
    const started = adapter.start();
    await soon(() => slack.socket.isOpen).toBe(true);
    await adapter.stop(AbortSignal.abort());
    await started;
    expect(adapter.health()).toEqual({ state: 'off', reason: 'stopped' });
  });
});

test('of several processes one holds the connection; the next one opens another when it is gone', async () => {
  const { own, give, takeAway, lose } = charge(false);
  const { slack, adapter, received } = await setUp('socket', { own });
  expect(slack.socket.connections).toBe(0);
  expect(adapter.health()).toEqual({
    state: 'standby',
    reason: 'another process holds the Socket Mode connection',
  });
  await give();
  expect([slack.socket.connections, slack.socket.isOpen]).toEqual([1, true]);
  expect(adapter.health()).toEqual({ state: 'on' });
  await slack.slashCommand('status', WHO);
  expect(received).toHaveLength(1);
  await takeAway();
  await soon(() => slack.socket.isOpen).toBe(false);
  expect(adapter.health().state).toBe('standby');
  await give();
  await slack.slashCommand('status', WHO);
  expect([slack.socket.connections, received.length]).toEqual([2, 2]);
  await lose();
  expect(adapter.health()).toEqual({
    state: 'deaf',
    reason: expect.stringContaining('the database cannot be reached') as string,
  });
});

test.each(['null', '7', '{', '{"type":"events_api","envelope_id":"e"}', '{"type":"surprise"}'])(
  'the frame %s does no harm',
  async (frame) => {
    const { slack, adapter, received } = await setUp('socket');
    slack.socket.sendRaw(frame);
    await slack.slashCommand('status', WHO);
    expect(received).toHaveLength(1);
    expect(adapter.health()).toEqual({ state: 'on' });
  },
);

test('HTTP is closed in Socket Mode', async () => {
  const { eventsUrl } = await setUp('socket');
  expect((await fetch(eventsUrl, { method: 'POST' })).status).toBe(404);
});
