import { describe, expect, onTestFinished, test } from 'vitest';
import { createSlackAdapter } from '../../../../adapters/slack/index.ts';
import type { Reply } from '../../../../src/core/message.ts';
import { approvals, votes } from '../../../../src/domain/approval.ts';
import { MINUTE, SECOND } from '../../../../src/domain/clock.ts';
import { jobs } from '../../../../src/domain/job.ts';
import { principals } from '../../../../src/domain/principal.ts';
import { tasks } from '../../../../src/domain/task.ts';
import { createWorld } from '../../../contract/world.ts';
import { approval, rows } from '../../../core/support.ts';
import { type FakeSlack, startFakeSlack } from '../../../fakes/slack/index.ts';
import { silent } from '../../support/world.ts';
import { CHANNEL, soon } from '../support.ts';

/** Of the harness's people: ana may do all, ben may open tasks and vote, vic may only look, eve is nobody's. */
const [ANA, BEN, VIC, EVE] = ['UANA', 'UBEN', 'UVIC', 'UEVE'] as const;

type Mode = 'http' | 'socket';

/** The whole pipeline with its outbox, the adapter, and a fake Slack whose rules have to hold. */
async function setUp(mode: Mode) {
  const world = await createWorld({});
  const { harness, http, receive } = world;
  const slack = await startFakeSlack({
    signingSecret: 'fake-signing-secret',
    botToken: 'xoxb-fake',
    appToken: 'xapp-fake',
    teamId: 'T1',
    clock: harness.clock,
  });
  slack.pointTo(`${http.url}/slack/events`);
  const adapter = await createSlackAdapter({
    workspace: harness.workspace,
    botToken: 'xoxb-fake',
    ...(mode === 'http' ? { signingSecret: 'fake-signing-secret' } : { appToken: 'xapp-fake' }),
    apiUrl: slack.apiUrl,
    receive,
    commands: harness.commands,
    http: http.app,
    clock: harness.clock,
    log: silent,
  });
  await adapter.start();
  world.deliverBy(adapter);
  onTestFinished(async () => {
    await adapter.stop(AbortSignal.abort());
    await world.close();
    await slack.close();
    slack.assertClean();
  });
  return { slack, harness, adapter, received: world.received, taskRows: () => rows(harness, tasks) };
}

type World = Awaited<ReturnType<typeof setUp>>;

const command = ({ slack }: World, text: string, user: string = BEN) =>
  slack.slashCommand(text, { user, channel: CHANNEL });
const top = ({ slack }: World, user: string = BEN) => slack.modals(user).at(-1);
const shown = (world: World, user: string = BEN): string => JSON.stringify(top(world, user)?.blocks ?? []);
/** What only one person is shown, in its place. */
const told = ({ slack }: World) =>
  slack.state().messages.filter((message) => message.ephemeralFor !== undefined);

/** A message with a button that opens a form, as the answer to a mention is. */
async function mentioned(world: World, text = 'task create') {
  const { slack } = world;
  await slack.event(`<@${slack.botUser}> ${text}`, { user: BEN, channel: CHANNEL });
  await soon(() => slack.messages.length).toBe(1);
  const [message] = slack.messages;
  if (!message) throw new Error('no message');
  return message;
}

/** A view with nothing to fill in stands open, as an earlier version of ours may have opened it. */
async function opened(
  world: World,
  callback: string,
  metadata: string,
  blocks: readonly object[] = [{ type: 'divider' }],
): Promise<void> {
  const { slack } = world;
  await slack.slashCommand('task list', { user: BEN, channel: CHANNEL, triggerId: '1.2.f' });
  const text = (words: string) => ({ type: 'plain_text', text: words });
  const view = {
    type: 'modal',
    callback_id: callback,
    private_metadata: metadata,
    title: text('Old'),
    submit: text('Send'),
    blocks,
  };
  await call(slack, 'views.open', { trigger_id: '1.2.f', view });
}

const call = (slack: FakeSlack, method: string, params: object) =>
  fetch(slack.apiUrl + method, {
    method: 'POST',
    headers: { authorization: 'Bearer xoxb-fake', 'content-type': 'application/json' },
    body: JSON.stringify(params),
  });

/** Ana asks for something, and Ben clicks on Deny below it. */
async function aDenialBegins(world: World) {
  const { slack } = world;
  await command(world, 'job run deploy --env production', ANA);
  await soon(() => slack.messages.length).toBe(2);
  const card = slack.messages.find(({ channel }) => channel === slack.dmOf(BEN));
  if (!card) throw new Error('no card');
  await slack.clickButton(card, 'Deny', BEN);
  return card;
}

describe.each(['http', 'socket'] as const)('over %s', (mode) => {
  test('a command that lacks something opens a form, which runs once however often it is sent', async () => {
    const world = await setUp(mode);
    const { slack, taskRows } = world;
    const { status, body } = await command(world, 'task create --priority P0');
    expect([status, JSON.stringify(body ?? {})]).toEqual([200, '{}']);
    expect(top(world)).toMatchObject({ title: { text: 'Task create' }, submit: { text: 'Create' } });
    const values = { Title: 'Fix login', Owner: '@ana', Labels: 'ops\ntls' };
    const sendings = [1, 2, 3].map(() => slack.submitModal(BEN, values));
    for (const taken of await Promise.all(sendings))
      expect(taken).toMatchObject({ status: 200, body: { response_action: 'clear' } });
    expect(await taskRows()).toMatchObject([
      {
        ref: 'TSK-1',
        title: 'Fix login',
        priority: 'P0',
        owner: 'ana',
        labels: ['ops', 'tls'],
        createdBy: 'ben',
      },
    ]);
    expect(slack.modals(BEN)).toEqual([]);
    await soon(() => told(world).length).toBe(3);
    expect(told(world)[0]).toMatchObject({
      channel: CHANNEL,
      ephemeralFor: BEN,
      text: expect.stringMatching(/^Opened TSK-1/) as string,
    });
  });

  test('a mention is answered with a button for it', async () => {
    const world = await setUp(mode);
    const { slack, received, taskRows } = world;
    const message = await mentioned(world);
    expect(message.text).toMatch(/^task create needs title/);
    const before = received();
    await slack.clickButton(message, 'Fill in', BEN);
    expect(received()).toBe(before);
    await slack.submitModal(BEN, { Title: 'Fix login' });
    expect(await taskRows()).toHaveLength(1);
    await soon(() => told(world)).toMatchObject([{ channel: CHANNEL, thread_ts: message.thread_ts }]);
  });

  test('Deny asks for the reason, and the vote is for exactly what was shown', async () => {
    const world = await setUp(mode);
    const { slack, harness } = world;
    const card = await aDenialBegins(world);
    expect(await rows(harness, votes)).toEqual([]);
    const { digest } = await approval(harness);
    expect(shown(world)).toContain(digest);
    await expect(slack.submitModal(BEN, {})).rejects.toThrow(/Reason: a value is required/);
    await slack.submitModal(BEN, { Reason: 'Not on\na Friday' });
    expect(slack.modals(BEN)).toEqual([]);
    expect(await rows(harness, votes)).toMatchObject([
      { voter: 'ben', decision: 'deny', reason: 'Not on a Friday', channel: 'slack' },
    ]);
    await soon(() => JSON.stringify(card.blocks)).not.toContain('"Deny"');
  });

  test('a reason for what has changed since it was shown counts for nothing, and says so', async () => {
    const world = await setUp(mode);
    const { slack, harness } = world;
    await aDenialBegins(world);
    await harness.store.transaction('main', async (tx) => {
      const row = await tx.get(approvals, { ref: 'APR-1' });
      if (row) await tx.update(approvals, row, { digest: 'f'.repeat(64) });
    });
    await slack.submitModal(BEN, { Reason: 'No' });
    expect(await rows(harness, votes)).toEqual([]);
    expect(top(world)?.submit).toBeNull();
  });

  test('a secret that is typed into a form is refused, and goes no further', async () => {
    const world = await setUp(mode);
    const { slack, harness } = world;
    const secret = `xoxb-${'1'.repeat(12)}-abcdef`;
    const button = { action_id: 'form:0:job.run', value: JSON.stringify({ command: 'job.run', args: {} }) };
    await slack.clickButton(await mentioned(world), button, ANA);
    await slack.submitModal(ANA, { Runbook: 'restart', Args: JSON.stringify({ service: secret }) });
    expect(shown(world, ANA)).toContain('looks like a secret');
    expect(JSON.stringify(slack.modals(ANA).map((view) => view.private_metadata))).not.toContain(secret);
    expect(await rows(harness, jobs)).toEqual([]);
    expect(JSON.stringify(await harness.entries())).not.toContain(secret);
  });

  test('a message becomes a task with a link back', async () => {
    const world = await setUp(mode);
    const { slack, taskRows } = world;
    const said = await slack.event('Login &lt;fails&gt;\nsince <https://x.test/1|noon>', {
      user: EVE,
      channel: CHANNEL,
    });
    const message = { ...said, user: EVE, text: 'Login &lt;fails&gt;\nsince <https://x.test/1|noon>' };
    await slack.messageShortcut('task_from_message', message, BEN);
    await slack.submitModal(BEN, {});
    const link = `https://example.slack.com/archives/${CHANNEL}/p${said.ts.replace('.', '')}`;
    expect(await taskRows()).toMatchObject([
      {
        title: 'Login <fails>',
        description: `Login <fails>\nsince https://x.test/1\n\n${link}`,
        createdBy: 'ben',
      },
    ]);
    await soon(() => told(world).map(({ text }) => text)).toEqual([expect.stringContaining('TSK-1')]);
  });

  test('what cannot be read is said below its field, and may be sent again', async () => {
    const world = await setUp(mode);
    const { slack, taskRows } = world;
    await command(world, 'task create');
    await slack.submitModal(BEN, { Title: '   ' });
    expect(slack.modalErrors(BEN)).toEqual({
      'argument:title': expect.stringMatching(/^task create needs title/),
    });
    await slack.submitModal(BEN, { Title: 'Fix', Labels: 'x'.repeat(51) });
    expect(slack.modalErrors(BEN)).toEqual({ 'argument:labels': expect.stringMatching(/50 characters/) });
    await slack.submitModal(BEN, { Title: 'Fix', Labels: 'x' });
    expect(await taskRows()).toMatchObject([{ title: 'Fix', labels: ['x'] }]);
  });

  test('a refusal that another value may mend stands above what was filled in', async () => {
    const world = await setUp(mode);
    const { slack, taskRows } = world;
    await command(world, 'task create');
    await slack.submitModal(BEN, { Title: 'Fix login', Owner: 'nobody' });
    expect(shown(world)).toMatch(/nobody/);
    expect(await taskRows()).toEqual([]);
    const sendings = [1, 2].map(() => slack.submitModal(BEN, { Owner: 'cho' }));
    await Promise.all(sendings);
    expect(await taskRows()).toMatchObject([{ title: 'Fix login', owner: 'cho' }]);
  });

  test('a second sending with other values is told that the first one stands', async () => {
    const world = await setUp(mode);
    const { slack, taskRows } = world;
    await command(world, 'task create');
    const sendings = ['One', 'Two'].map((title) => slack.submitModal(BEN, { Title: title }));
    const bodies = (await Promise.all(sendings)).map(({ body }) => JSON.stringify(body));
    expect(bodies.filter((body) => body.includes('what came of that stands'))).toHaveLength(1);
    expect(await taskRows()).toHaveLength(1);
  });
});

test.each([
  ['nothing but an attachment', '', { Title: 'Look' }, { title: 'Look' }],
  ['control characters', 'Bell\u0007 rings', {}, { title: 'Bell\uFFFD rings' }],
  [
    'more than a form takes',
    `${'x'.repeat(300)}\n${'y'.repeat(20_000)}`,
    {},
    { title: `${'x'.repeat(199)}…` },
  ],
])('a message of %s becomes a task, too', async (_, text, values, task) => {
  const world = await setUp('http');
  const { slack, taskRows } = world;
  const message = {
    channel: CHANNEL,
    ts: '1772442000.000100',
    thread_ts: '1772441000.000100',
    user: EVE,
    text,
  };
  await slack.messageShortcut('task_from_message', message, BEN);
  await slack.submitModal(BEN, values);
  const [row] = await taskRows();
  expect(row).toMatchObject(task);
  const link = `/archives/${CHANNEL}/p1772442000000100?thread_ts=1772441000.000100&cid=${CHANNEL}`;
  expect(row?.description.endsWith(link)).toBe(true);
});

describe('whoever may not', () => {
  test('and is not known here is told how to become known, in the form', async () => {
    const world = await setUp('http');
    const { slack, taskRows } = world;
    await slack.clickButton(await mentioned(world), 'Fill in', EVE);
    await slack.submitModal(EVE, { Title: 'Mine' });
    expect(shown(world, EVE)).toMatch(/not linked to anybody here. Send `link` here/);
    expect(top(world, EVE)?.submit).toBeNull();
    expect(await taskRows()).toEqual([]);
  });

  test('or may no longer, is refused when it is sent', async () => {
    const world = await setUp('http');
    const { slack, harness, taskRows } = world;
    await command(world, 'task create');
    await harness.store.transaction('main', async (tx) => {
      const row = await tx.get(principals, { name: 'ben' });
      if (row) await tx.update(principals, row, { roles: ['viewer'] });
    });
    await slack.submitModal(BEN, { Title: 'Mine' });
    expect(shown(world)).toContain('You may not run task create');
    expect(await taskRows()).toEqual([]);
  });

  test('is offered no form', async () => {
    const world = await setUp('http');
    const { body } = await command(world, 'task create', VIC);
    expect(JSON.stringify(body)).not.toContain('Fill in');
    expect(world.slack.modals(VIC)).toEqual([]);
  });
});

describe('where Slack opens no form', () => {
  test.each([{ error: 'expired_trigger_id' }, { status: 500 }, { error: 'ratelimited', retryAfter: 30 }])(
    'the answer is text with a button: %j',
    async (failure) => {
      const world = await setUp('http');
      const { slack, taskRows } = world;
      slack.failNext('views.open', failure);
      const { body } = await command(world, 'task create');
      expect(body).toMatchObject({ text: expect.stringMatching(/^task create needs title/) as string });
      const answer = { channel: CHANNEL, ...(body as { text: string; blocks: [] }) };
      await slack.clickButton(answer, 'Fill in', BEN);
      await slack.submitModal(BEN, { Title: 'Fix login' });
      expect(await taskRows()).toHaveLength(1);
    },
  );

  test('whoever clicked is told', async () => {
    const world = await setUp('http');
    const { slack } = world;
    const message = await mentioned(world);
    slack.failNext('views.open', { error: 'expired_trigger_id' });
    await slack.clickButton(message, 'Fill in', BEN);
    await soon(() => told(world)).toMatchObject([{ text: expect.stringContaining('try again') as string }]);
  });

  test.each([
    ['no form', '{'],
    ['a form of a command that is gone', JSON.stringify({ command: 'task.gone', args: {}, asks: [] })],
    ['too much', JSON.stringify({ command: 'task.show', args: { x: 'y'.repeat(3_001) }, asks: ['id'] })],
  ])('a button with %s says so', async (_, value) => {
    const world = await setUp('http');
    await world.slack.clickButton(await mentioned(world), { action_id: 'form:0:x', value }, BEN);
    await soon(() => told(world)).toHaveLength(1);
    expect(world.slack.modals(BEN)).toEqual([]);
  });

  test('a shortcut that is not known says so', async () => {
    const world = await setUp('http');
    const message = { channel: CHANNEL, ts: '1772442000.000100', user: EVE, text: 'x' };
    await world.slack.messageShortcut('task_from_nowhere', message, BEN);
    await soon(() => told(world)).toMatchObject([{ text: expect.stringContaining('out of date') as string }]);
  });

  test('too much for a form is answered with text', async () => {
    const world = await setUp('http');
    const { body } = await command(world, `task create --description ${'x'.repeat(4_000)}`);
    expect(body).toMatchObject({ text: expect.stringMatching(/^task create needs title/) as string });
    expect(world.slack.modals(BEN)).toEqual([]);
  });
});

describe('what came of a form', () => {
  test('is shown in the form where its place can no longer be answered', async () => {
    const world = await setUp('http');
    const { slack, harness } = world;
    await command(world, 'task create');
    harness.clock.pass(29 * MINUTE + SECOND);
    await slack.submitModal(BEN, { Title: 'Fix login' });
    expect(shown(world)).toContain('Opened TSK-1');
    expect(told(world)).toEqual([]);
  });

  test('is told directly where its place does not take it, without secrets, as it stays there', async () => {
    const world = await setUp('http');
    const { slack } = world;
    const secret = `ghp_${'a'.repeat(36)}`;
    const place = { channel: CHANNEL, responseUrl: `${slack.url}/nothing` };
    const memo = { command: 'task.show', args: { id: 'TSK-1' }, asks: ['x'], attempt: 0, place, until: 1e13 };
    await command(world, 'task create');
    await slack.submitModal(BEN, { Title: `Take ${secret} back` });
    await opened(world, 'form', JSON.stringify(memo));
    await slack.submitModal(BEN, {});
    await soon(() => slack.messages.length).toBe(1);
    const text = expect.stringContaining('Take [redacted] back') as string;
    expect(slack.messages).toMatchObject([{ channel: slack.dmOf(BEN), text }]);
    expect(JSON.stringify(slack.messages)).not.toContain(secret);
  });

  test.each([
    ['an earlier version', 'old_form', ''],
    ['nothing that can be read', 'form', '{"command":'],
    [
      'a command that is gone',
      'form',
      JSON.stringify({ command: 'task.gone', args: {}, attempt: 0, place: { channel: CHANNEL }, until: 0 }),
    ],
  ])('of %s is a notice', async (_, callback, metadata) => {
    const world = await setUp('http');
    const { slack, received } = world;
    await opened(world, callback, metadata);
    const before = received();
    await slack.submitModal(BEN, {});
    expect(shown(world)).toContain('section');
    expect(top(world)?.submit).toBeNull();
    expect(received()).toBe(before);
  });

  test.each([
    [
      'asked for something that the command no longer takes',
      { title: 'Fix' },
      ['argument:title', 'argument:gone'],
    ],
    ['did not ask for what the command needs by now', {}, ['argument:priority']],
    ['settled what the command no longer takes', { gone: 'x' }, ['argument:title']],
  ])('that %s runs nothing, and says so', async (_, args, asked) => {
    const world = await setUp('http');
    const { slack, taskRows } = world;
    const memo = { command: 'task.create', args: {}, attempt: 0, place: { channel: CHANNEL }, until: 0 };
    const blocks = asked.map((id) => ({
      type: 'input',
      block_id: id,
      label: { type: 'plain_text', text: id },
      element: { type: 'plain_text_input', action_id: 'value', initial_value: 'P0' },
    }));
    await opened(world, 'form', JSON.stringify({ ...memo, args }), blocks);
    await slack.submitModal(BEN, {});
    expect(shown(world)).toContain('This form is out of date');
    expect(await taskRows()).toEqual([]);
  });

  test('opened in App Home is shown in the form', async () => {
    const world = await setUp('http');
    const { slack, taskRows } = world;
    const element = {
      type: 'button',
      action_id: 'form:0:task.create',
      text: { type: 'plain_text', text: 'New task' },
      value: JSON.stringify({ command: 'task.create', args: {} }),
    };
    const home = { type: 'home', blocks: [{ type: 'actions', elements: [element] }] };
    await call(slack, 'views.publish', { user_id: BEN, view: home });
    await slack.clickInHome(BEN, 'New task');
    await slack.submitModal(BEN, { Title: 'Fix login' });
    expect(await taskRows()).toHaveLength(1);
    expect(shown(world)).toContain('Opened TSK-1');
  });
});

test('a button that asks is another one than the same without', async () => {
  const { slack, adapter, received } = await setUp('http');
  const invocation = { command: 'task.create', args: {} };
  const reply: Reply = {
    text: 'x',
    actions: [
      { label: 'Ask', invocation, asks: ['title'] },
      { label: 'Run', invocation },
    ],
  };
  await adapter.notifier?.send({ channel: 'slack', to: CHANNEL }, { key: 'k', reply });
  const [message] = slack.messages;
  if (!message) throw new Error('no message');
  await slack.clickButton(message, 'Ask', BEN);
  expect(received()).toBe(0);
  await slack.clickButton(message, 'Run', BEN);
  expect(received()).toBe(1);
});
