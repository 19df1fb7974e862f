import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { MINUTE } from '../../../src/domain/clock.ts';
import { createHarness } from '../../support/harness.ts';
import { outgoing } from '../../core/support.ts';
import { CHANNEL, NOW, setUp, soon, TEAM, type Setup } from './support.ts';

const OTHER = 'T0OTHER01';
/** What a button carries. */
const BUTTON = { action_id: 'run:0:status', value: '{"command":"status","args":{}}' };

describe.each(['http', 'socket'] as const)('over %s', (mode) => {
  let setup: Setup;
  beforeEach(async () => {
    // What waits by a steady clock waits as much shorter, as the other clock is set by hand.
    setup = await setUp(mode, { speed: 60 });
    setup.slack.addUser({ id: 'UGUS00001', isRestricted: true });
    setup.slack.addUser({ id: 'UONE00001', isUltraRestricted: true });
    setup.slack.addUser({ id: 'UAPP00001', isBot: true });
    setup.slack.addUser({ id: 'USTR00001', isStranger: true, teamId: OTHER });
    // Slack calls nobody a stranger who shares a channel with us.
    setup.slack.addUser({ id: 'UFAR00001', teamId: OTHER });
    setup.slack.addUser({ id: 'UGONE0001', deleted: true });
  });

  const senders = () => setup.received.map(({ from }) => [from.subject, from.outsider]);
  const infos = () => setup.slack.requests.filter(({ method }) => method === 'users.info');
  const card = { channel: CHANNEL, text: 'x', blocks: [] };

  test.each([
    ['UANA00001', TEAM, undefined],
    ['UGUS00001', TEAM, 'guest'],
    ['UONE00001', TEAM, 'guest'],
    ['UAPP00001', TEAM, 'bot'],
    ['USLACKBOT', TEAM, 'bot'],
    ['USTR00001', OTHER, 'stranger'],
    ['UFAR00001', OTHER, 'stranger'],
    ['UGONE0001', TEAM, 'deactivated'],
  ])('%s is of %s, and is called %s', async (user, team, outsider) => {
    const { slack } = setup;
    await slack.slashCommand('status', { user, channel: CHANNEL });
    await slack.clickButton(card, BUTTON, user);
    expect(senders()).toEqual([
      [`${team}/${user}`, outsider],
      [`${team}/${user}`, outsider],
    ]);
  });

  test('a mention and a direct message tell of their writer as well', async () => {
    const { slack } = setup;
    await slack.event(`<@${slack.botUser}> status`, { user: 'USTR00001', channel: CHANNEL });
    await slack.directMessage('status', { user: 'UGUS00001' });
    expect(senders()).toEqual([
      [`${OTHER}/USTR00001`, 'stranger'],
      [`${TEAM}/UGUS00001`, 'guest'],
    ]);
  });

  test.each(['user_team', 'source_team', 'team'])('%s of a message is its writer’s', async (field) => {
    const { slack } = setup;
    await slack.event('status', { user: 'UANA00001', channel: CHANNEL, inner: { [field]: OTHER } });
    expect(senders()).toEqual([[`${OTHER}/UANA00001`, 'stranger']]);
  });

  test('somebody whom Slack does not show to us is a stranger', async () => {
    const { slack } = setup;
    slack.failNext('users.info', { error: 'user_not_visible' });
    await slack.slashCommand('status', { user: 'UANA00001', channel: CHANNEL });
    expect(senders()).toEqual([[`${TEAM}/UANA00001`, 'stranger']]);
  });

  test('a program is told as one by what it says', async () => {
    const { slack } = setup;
    const inner = { bot_id: 'B9' };
    await slack.event(`<@${slack.botUser}> status`, { user: 'UAPP00001', channel: CHANNEL, inner });
    expect(senders()).toEqual([[`${TEAM}/UAPP00001`, 'bot']]);
  });

  test.each([
    ['what an app says with a person’s token', 'UANA00001', { bot_id: 'B9' }],
    ['what Slackbot repeats', 'USLACKBOT', {}],
    ['what an app says that is no user', '', { bot_id: 'B9', user: undefined }],
  ])('%s runs nothing', async (_, user, inner) => {
    const { slack, received } = setup;
    const channel = CHANNEL;
    const taken = await slack.event(`<@${slack.botUser}> status`, {
      user: user || 'UANA00001',
      channel,
      inner,
    });
    expect(taken.status).toBe(200);
    expect(received).toEqual([]);
  });

  test('Slack is asked once for some minutes, and once for those who write at the same time', async () => {
    const { slack, clock } = setup;
    const say = () => slack.slashCommand('status', { user: 'UANA00001', channel: CHANNEL });
    await Promise.all([say(), say(), say()]);
    await say();
    expect(infos()).toHaveLength(1);
    slack.addUser({ id: 'UANA00001', isRestricted: true });
    clock.at = new Date(NOW.getTime() + 5 * MINUTE);
    await say();
    expect(infos()).toHaveLength(2);
    expect(senders().at(-1)).toEqual([`${TEAM}/UANA00001`, 'guest']);
  });

  test.each([
    ['refuses', { error: 'internal_error' }],
    ['asks to wait', { status: 429, retryAfter: 30 }],
    ['hangs up', { drop: true }],
    ['lost the scope', { error: 'missing_scope' }],
  ])('where Slack %s, nothing runs for whoever is not known', async (_, failure) => {
    const { slack, received } = setup;
    slack.failNext('users.info', failure);
    const taken = await slack.slashCommand('status', { user: 'UANA00001', channel: CHANNEL });
    expect(JSON.stringify(taken.body)).toMatch(/Slack does not say at present who you are.*Try again/);
    expect(received).toEqual([]);
  });

  test('the missing scope is named, and the channel is deaf', async () => {
    const { slack, adapter } = setup;
    slack.failNext('users.info', { error: 'missing_scope' });
    const taken = await slack.slashCommand('status', { user: 'UANA00001', channel: CHANNEL });
    expect(JSON.stringify(taken.body)).toContain('the app lacks the scope users:read; reinstall it');
    expect(adapter.health()).toMatchObject({
      state: 'deaf',
      reason: expect.stringContaining('missing_scope'),
    });
  });

  test('what Slack said last stands for half an hour while it says nothing', async () => {
    const { slack, clock, received } = setup;
    const say = () => slack.slashCommand('status', { user: 'UGUS00001', channel: CHANNEL });
    await say();
    for (const minutes of [5, 29, 30]) {
      clock.at = new Date(NOW.getTime() + minutes * MINUTE);
      slack.failNext('users.info', { error: 'internal_error' });
      await say();
    }
    expect(senders()).toEqual(received.map(() => [`${TEAM}/UGUS00001`, 'guest']));
    expect(received).toHaveLength(3);
  });

  test('Slack is left alone for as long as it asks', async () => {
    const { slack, clock } = setup;
    const say = (user: string) => slack.slashCommand('status', { user, channel: CHANNEL });
    slack.failNext('users.info', { status: 429, retryAfter: 30 });
    await say('UANA00001');
    await say('UBEN00001');
    expect(infos()).toHaveLength(1);
    clock.at = new Date(NOW.getTime() + 30_000);
    await say('UBEN00001');
    expect(senders()).toEqual([[`${TEAM}/UBEN00001`, undefined]]);
  });

  test('people and channels of a text are handed on by their id', async () => {
    const { slack, received } = setup;
    await slack.slashCommand('task create &lt;@U8&gt; --owner <@U7|ben> --to <#C1|ops> <#C2|ops> <#C3|>', {
      user: 'UANA00001',
      channel: CHANNEL,
    });
    expect(received[0]?.body).toEqual({ text: 'task create <@U8> --owner <@U7> --to #ops <#C2> <#C3>' });
    expect([...(received[0]?.people ?? [])]).toEqual([['<@U7>', `${TEAM}/U7`]]);
    expect([...(received[0]?.places ?? [])]).toEqual([
      ['#ops', 'slack:C1'],
      ['<#C2>', 'slack:C2'],
      ['<#C3>', 'slack:C3'],
    ]);
  });
});

test('an event of somebody who is not known yet comes again', async () => {
  const { slack, received } = await setUp('http');
  slack.failNext('users.info', { error: 'internal_error' });
  const said = { user: 'UANA00001', channel: CHANNEL, eventId: 'Ev1' };
  const text = `<@${slack.botUser}> status`;
  expect((await slack.event(text, said)).status).toBe(500);
  expect(received).toEqual([]);
  expect((await slack.event(text, said)).status).toBe(200);
  expect(received.map(({ from }) => from.subject)).toEqual([`${TEAM}/UANA00001`]);
});

describe.each(['http', 'socket'] as const)('with the whole pipeline, over %s', (mode) => {
  const GUEST = 'UGUS00001';

  test('a guest and a stranger are denied until they are named', async () => {
    const harness = await createHarness();
    onTestFinished(() => harness.close());
    const { slack } = await setUp(mode, { receive: harness.receive });
    slack.addUser({ id: GUEST, isRestricted: true });
    slack.addUser({ id: 'USTR00001', isStranger: true, teamId: OTHER });
    const shown = async (user: string, text: string) =>
      JSON.stringify((await slack.slashCommand(text, { user, channel: CHANNEL })).body);
    expect(await shown(GUEST, 'link')).toContain(`person link NAME slack:${TEAM}/${GUEST}`);
    expect(await shown('USTR00001', 'link')).toContain(`person link NAME slack:${OTHER}/USTR00001`);
    await harness.run('ana', `person add gus --roles viewer --identity slack:${TEAM}/${GUEST}`);
    await harness.run('ana', `person add far --roles viewer --identity slack:${OTHER}/USTR00001`);
    expect(await shown(GUEST, 'whoami')).toContain('You are gus');
    expect(await shown('USTR00001', 'whoami')).toContain('You are far');
  });

  test('a stranger is told in an open call alone, and a program nowhere', async () => {
    const harness = await createHarness();
    onTestFinished(() => harness.close());
    const { slack } = await setUp(mode, { receive: harness.receive });
    slack.addUser({ id: 'USTR00001', isStranger: true, teamId: OTHER });
    slack.addUser({ id: 'UAPP00001', isBot: true });
    await slack.clickButton({ channel: CHANNEL, text: 'x', blocks: [] }, BUTTON, 'USTR00001');
    await soon(() => slack.responseUrlPosts[0]?.text).toMatch(
      /People of other teams .* slack:T0OTHER01\/USTR00001/,
    );
    for (const user of ['USTR00001', 'UAPP00001'])
      await slack.event(`<@${slack.botUser}> link`, { user, channel: CHANNEL });
    const denied = (await harness.entries()).filter(({ event }) => event === 'command.denied');
    expect(denied.map(({ actor }) => actor)).toEqual([
      `slack:${OTHER}/USTR00001`,
      `slack:${OTHER}/USTR00001`,
      `slack:${TEAM}/UAPP00001`,
    ]);
    expect(await outgoing(harness)).toEqual({});
  });

  test('a command means people and channels by their id', async () => {
    const harness = await createHarness();
    onTestFinished(() => harness.close());
    const { slack } = await setUp(mode, { receive: harness.receive });
    const shown = async (user: string, text: string) =>
      JSON.stringify((await slack.slashCommand(text, { user, channel: CHANNEL })).body);
    await harness.run('ana', `person link ben slack:${TEAM}/UBEN00001`);
    expect(await shown('UBEN00001', 'subscribe job.failed probe.* --to <#C0OPS0001|ops>')).toContain(
      'will be told on #ops (slack:C0OPS0001)',
    );
    expect(await shown('UBEN00001', 'task create x --owner <@UBEN00001|benny>')).toContain('TSK-1');
    expect(await shown('UBEN00001', 'task create x --owner <@UANA00001>')).toContain(
      'is linked to nobody here',
    );
  });
});
