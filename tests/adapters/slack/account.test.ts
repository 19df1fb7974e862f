import express from 'express';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { retryAfter, waitAfter } from '../../../adapters/slack/account.ts';
import { createSlackAdapter } from '../../../adapters/slack/index.ts';
import { createCommandSet } from '../../../src/core/command-set.ts';
import { systemClock } from '../../../src/domain/clock.ts';
import { Refusal } from '../../../src/domain/errors.ts';
import { CHANNEL, prepare, setUp, soon } from './support.ts';

test('a channel that works is on', async () => {
  const { adapter } = await setUp('http');
  expect(adapter.name).toBe('slack');
  expect(adapter.health()).toEqual({ state: 'on' });
});

test('it is off before the start', async () => {
  const { adapter } = await prepare('http');
  expect(adapter.health()).toEqual({ state: 'off', reason: 'not started' });
});

test('a refused bot token fails the start', async () => {
  const { slack, adapter } = await prepare('http');
  slack.failNext('auth.test', { error: 'token_revoked' });
  await expect(adapter.start()).rejects.toMatchObject({
    code: 'unauthenticated',
    message: expect.stringContaining('token_revoked') as string,
  });
});

test('a token of another team fails the start', async () => {
  const { adapter } = await prepare('http', { teamId: 'T0OTHER01' });
  await expect(adapter.start()).rejects.toThrow(/T0TEAM001, not T0OTHER01/);
});

test('Slack being away leaves the channel deaf until it is back', async () => {
  const { slack, adapter } = await prepare('http', { checkEvery: 5 });
  slack.failNext('auth.test', { status: 503 });
  await adapter.start();
  await soon(() => adapter.health().state).toBe('on');
  expect((await slack.slashCommand('status', { user: 'U1', channel: CHANNEL })).status).toBe(200);
});

test('a token revoked later makes it deaf', async () => {
  const { slack, adapter } = await setUp('http');
  slack.failNext('chat.postMessage', { error: 'token_revoked' });
  const sent = adapter.notifier?.send({ channel: 'slack', to: CHANNEL }, { key: 'k', reply: { text: 'x' } });
  await expect(sent).rejects.toMatchObject({ code: 'unauthenticated' });
  expect(adapter.health()).toMatchObject({
    state: 'deaf',
    reason: expect.stringContaining('token_revoked') as string,
  });
});

test('neither secret nor app token is a mistake that is named', async () => {
  const made = createSlackAdapter({
    workspace: 'main',
    botToken: 'xoxb-fake',
    receive: () => Promise.reject(new Error('unused')),
    commands: createCommandSet([]),
    http: express(),
    clock: systemClock,
    log: pino({ level: 'silent' }),
  });
  await expect(made).rejects.toThrow(/SLACK_SIGNING_SECRET/);
});

test('the milliseconds of our own rates are not taken for the seconds of Slack', () => {
  const own = new Refusal('rate_limited', 'views.publish has been called enough.', { retryAfter: 5_000 });
  const slacks = Object.assign(new Error('429'), { retryAfter: 30 });
  expect([retryAfter(own), waitAfter(own)]).toEqual([undefined, 5_000]);
  expect([retryAfter(slacks), waitAfter(slacks)]).toEqual([30, 30_000]);
  expect(waitAfter(new Error('no'))).toBeUndefined();
});
