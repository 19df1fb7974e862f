import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SlackOptions } from '../../../../adapters/slack/index.ts';
import { createHomes, type Homes } from '../../../../src/core/homes.ts';
import type { Answer, Inbound, Reply } from '../../../../src/core/message.ts';
import type { Own } from '../../../../src/core/owned.ts';
import { createHarness, type Harness } from '../../../support/harness.ts';
import { CHANNEL, setUp, soon, TEAM, type Setup } from '../support.ts';

const HOME: Reply = {
  text: 'Your tasks\n  TSK-1 [P0 queued] Fix login',
  actions: [
    { label: 'Done', invocation: { command: 'task.move', args: { id: 'TSK-1', to: 'done' } } },
    { label: 'Show', invocation: { command: 'task.show', args: { id: 'TSK-1' } } },
  ],
};

let h: Harness;
let homes: Homes;
beforeEach(async () => {
  h = await createHarness();
  homes = createHomes(h.store, 'main', 'slack');
});
afterEach(() => h.close());

interface Shown extends Setup {
  /** What `home` is answered with; the pipeline's own reply is that of the clicks. */
  readonly home: { reply: Reply; error?: Answer['error'] };
  /** The messages that asked for a Home. */
  readonly asked: Inbound[];
  readonly published: () => number;
  readonly shownTo: (user: string) => string;
}

/** A Slack with people's Homes, kept by this process. */
async function withHomes(
  mode: 'http' | 'socket',
  more: Partial<SlackOptions> = {},
  before: () => Promise<void> = async () => undefined,
): Promise<Shown> {
  const home: Shown['home'] = { reply: HOME };
  const asked: Inbound[] = [];
  const pipeline: Setup['pipeline'] = { reply: { text: 'Done.' } };
  const receive = async (message: Inbound): Promise<Answer> => {
    const invocation = 'command' in message.body ? message.body : undefined;
    const isHome = invocation?.command === 'home';
    if (isHome) asked.push(message);
    else await before();
    const { reply, error } = isHome ? home : pipeline;
    const base = { id: 'a1', correlationId: 'c1', reply };
    const read = invocation && { command: invocation.command, args: {} };
    return {
      ...base,
      ...(read && { invocation: read }),
      ...(error ? { status: 'error', error } : { status: 'ok' }),
    };
  };
  const parts = await setUp(mode, { homes, commands: h.commands, homeEvery: 50, receive, ...more });
  const { slack, adapter } = parts;
  await adapter.keeper?.start();
  // Before the harness is closed.
  stops.push(() => adapter.keeper?.stop() ?? Promise.resolve());
  return {
    ...parts,
    pipeline,
    home,
    asked,
    published: () => slack.requests.filter(({ method }) => method === 'views.publish').length,
    shownTo: (user) => JSON.stringify(slack.home(user)?.blocks ?? []),
  };
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const change = (text = 'task create something') => h.run('ana', text);

describe.each(['http', 'socket'] as const)('over %s', (mode) => {
  test('whoever opens their Home is shown what the command answers them', async () => {
    const { slack, asked, shownTo } = await withHomes(mode);
    expect(await slack.openHome('U1')).toMatchObject({ status: 200 });
    await soon(() => shownTo('U1')).toContain('Fix login');
    expect(asked).toEqual([
      {
        channel: 'slack',
        from: {
          workspace: 'main',
          channel: 'slack',
          subject: `${TEAM}/U1`,
          assurance: 'slack',
          scopes: ['*'],
        },
        body: { command: 'home', args: {} },
        conversation: 'slack:home:U1',
      },
    ]);
    expect(slack.home('U2')).toBeUndefined();
  });

  test('a change is shown without being asked for, and is not counted against the person', async () => {
    const { slack, home, asked, shownTo } = await withHomes(mode);
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    home.reply = { text: 'Nothing waits for you.' };
    await change();
    await soon(() => shownTo('U1')).toContain('Nothing waits');
    expect(asked.map(({ counted }) => counted)).toEqual([undefined, true]);
  });

  test('a click that changes something is answered by the Home itself', async () => {
    const { slack, home, shownTo, published } = await withHomes(mode, { homeEvery: 60_000 });
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    home.reply = { text: 'All is done.' };
    expect(await slack.clickInHome('U1', 'Done')).toMatchObject({ status: 200 });
    await soon(() => shownTo('U1')).toContain('All is done');
    expect([published(), slack.modals('U1'), slack.messages]).toEqual([2, [], []]);
  });

  test('a click that only looks is answered in a window', async () => {
    const { slack, pipeline, shownTo } = await withHomes(mode);
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    pipeline.reply = { text: 'TSK-1 in full' };
    await slack.clickInHome('U1', 'Show');
    await soon(() => slack.modals('U1').length).toBe(1);
    expect(slack.modals('U1')).toMatchObject([{ type: 'modal', title: { text: 'Signalbox' } }]);
    expect(JSON.stringify(slack.modals('U1'))).toContain('TSK-1 in full');
    expect(slack.messages).toEqual([]);
  });

  test('a click that is refused says so in a window, or directly where none can be opened any more', async () => {
    const { slack, pipeline, shownTo } = await withHomes(mode);
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    pipeline.reply = { text: 'TSK-1 has 1 open checklist item(s).' };
    pipeline.error = { code: 'conflict' };
    await slack.clickInHome('U1', 'Done');
    await soon(() => JSON.stringify(slack.modals('U1'))).toContain('1 open checklist item(s)');
    expect(JSON.stringify(slack.modals('U1'))).toContain('conflict · c1');
    slack.failNext('views.open', { error: 'expired_trigger_id' });
    await slack.clickInHome('U1', 'Done');
    await soon(() => slack.messages.length).toBe(1);
    expect(slack.messages[0]).toMatchObject({ channel: slack.dmOf('U1') });
    expect(slack.messages[0]?.text).toContain('1 open checklist item(s)');
  });

  test('a click that takes long is acknowledged, and answered without secrets where no window opens any more', async () => {
    const lateness = { after: 10, pauses: [] };
    const gate = Promise.withResolvers<void>();
    const secret = ['xox', 'b-', '1'.repeat(12), '-', 'f'.repeat(24)].join('');
    const { slack, pipeline, shownTo } = await withHomes(mode, { lateness }, () => gate.promise);
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    expect(await slack.clickInHome('U1', 'Show')).toMatchObject({ status: 200 });
    pipeline.reply = { text: `The key is ${secret}` };
    slack.failNext('views.open', { error: 'expired_trigger_id' });
    gate.resolve();
    await soon(() => slack.messages.length).toBe(1);
    expect(slack.messages[0]).toMatchObject({ channel: slack.dmOf('U1') });
    expect(JSON.stringify(slack.messages)).toContain('The key is');
    expect(JSON.stringify(slack.messages)).not.toContain(secret);
  });

  test('a button that asks opens a form, and says directly why where it cannot', async () => {
    const { slack, home, shownTo } = await withHomes(mode);
    const invocation = { command: 'approval.deny', args: { approval: 'APR-1' } };
    home.reply = { text: 'APR-1', actions: [{ label: 'Deny', invocation, asks: ['reason'] }] };
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Deny');
    await slack.clickInHome('U1', 'Deny');
    await soon(() => slack.modals('U1').length).toBe(1);
    slack.failNext('views.open', { error: 'expired_trigger_id' });
    await slack.clickInHome('U1', 'Deny');
    await soon(() => slack.messages.length).toBe(1);
    expect(slack.messages[0]).toMatchObject({ channel: slack.dmOf('U1') });
  });

  test('a button on a Home that is out of date says so', async () => {
    const { slack, shownTo } = await withHomes(mode);
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    const taken = await slack.clickInHome('U1', { action_id: 'run:0:gone', value: 'not json' });
    expect(taken).toMatchObject({ status: 200 });
    await soon(() => JSON.stringify(slack.modals('U1'))).toContain('out of date');
  });
});

describe('a Home', () => {
  test('is published only where it would show something else', async () => {
    const { slack, asked, published, home, shownTo } = await withHomes('http');
    await slack.openHome('U1');
    await soon(published).toBe(1);
    await change();
    await soon(() => asked.length).toBe(2);
    home.reply = { text: 'Something else.' };
    await change();
    await soon(() => shownTo('U1')).toContain('Something else');
    expect(published()).toBe(2);
  });

  test('is looked at once for changes that come together', async () => {
    const { slack, asked, home, shownTo } = await withHomes('http', { homeEvery: 300 });
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    for (let n = 0; n < 30; n += 1) {
      home.reply = { text: `State ${n}.` };
      await change();
    }
    await soon(() => shownTo('U1')).toContain('State 29.');
    expect(asked.length).toBeLessThan(6);
  });

  test('is kept for whoever opened it, and for nobody else', async () => {
    const { slack, asked, published } = await withHomes('http');
    await slack.slashCommand('status', { user: 'U2', channel: CHANNEL });
    await slack.openHome('U1');
    await soon(published).toBe(1);
    await change();
    await soon(() => asked.length).toBe(2);
    expect(asked.map(({ from }) => from.subject)).toEqual([`${TEAM}/U1`, `${TEAM}/U1`]);
  });

  test('of a stranger says how to become known, and is left at that', async () => {
    const { slack, asked, home, shownTo } = await withHomes('http');
    home.reply = { text: 'You are not linked to anybody here. Send `link` here for a code.' };
    home.error = { code: 'forbidden' };
    await slack.openHome('U9');
    await soon(() => shownTo('U9')).toContain('not linked to anybody');
    await soon(async () => (await homes.lately()).length).toBe(0);
    await change();
    await slack.openHome('U8');
    await soon(() => shownTo('U8')).toContain('not linked to anybody');
    expect(asked.map(({ from }) => from.subject)).toEqual([`${TEAM}/U9`, `${TEAM}/U8`]);
  });

  test('stays as it is while nothing can be answered', async () => {
    const { slack, asked, home, published, shownTo } = await withHomes('http');
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    home.error = { code: 'unavailable' };
    home.reply = { text: 'The database is away.' };
    await change();
    await soon(() => asked.length).toBe(2);
    expect([published(), (await homes.lately()).length]).toEqual([1, 1]);
  });

  test('is published again after a 429, when Slack says', async () => {
    const { slack, published, shownTo } = await withHomes('http');
    slack.failNext('views.publish', { status: 429, retryAfter: 1 });
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    expect(published()).toBe(2);
  });

  test('that Slack will not have is given up until it is opened again', async () => {
    const { slack, asked, shownTo } = await withHomes('http');
    slack.failNext('views.publish', { error: 'user_not_found' });
    await slack.openHome('U1');
    await soon(async () => (await homes.lately()).length).toBe(0);
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('Fix login');
    expect(asked).toHaveLength(2);
  });

  test('is right again after a start, without being opened', async () => {
    await homes.opened(`${TEAM}/U1`);
    await homes.opened('T0OTHER01/U2');
    const { slack, shownTo } = await withHomes('http');
    await soon(() => shownTo('U1')).toContain('Fix login');
    expect(slack.home('U2')).toBeUndefined();
  });

  test('is published by the process that has charge of it, whichever heard of it', async () => {
    const others: Own = () => ({
      held: false,
      taken: true,
      start: async () => undefined,
      stop: async () => undefined,
    });
    const hears = await withHomes('http', { own: others });
    const keeps = await withHomes('http');
    await hears.slack.openHome('U1');
    await soon(() => keeps.shownTo('U1')).toContain('Fix login');
    expect(hears.published()).toBe(0);
  });

  test('has at most a hundred blocks', async () => {
    const { slack, home, shownTo } = await withHomes('http');
    const actions = Array.from({ length: 25 }, (_, n) => ({
      label: `Button ${n}`,
      invocation: { command: 'task.show', args: { id: `TSK-${n}` } },
    }));
    home.reply = { text: 'x\n'.repeat(50_000), actions };
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('shortened');
    expect(slack.home('U1')?.blocks.length).toBeLessThanOrEqual(100);
  });

  test('shows every part of a full card', async () => {
    const { slack, home, shownTo } = await withHomes('http');
    const items = Array.from({ length: 10 }, (_, n) => ({
      text: `Item ${n}`,
      actions: ['One', 'Another'].map((label) => ({
        label,
        invocation: { command: 'task.show', args: { id: `TSK-${n}` } },
      })),
    }));
    const sections = ['Votes', 'Tasks', 'Jobs'].map((title) => ({
      title,
      items,
      none: 'None.',
      more: 'and 2 more',
    }));
    const last = { title: 'Probes', items: [{ text: 'The last of all' }], none: 'None.' };
    home.reply = { text: 'The last of all', card: { title: 'Signalbox', sections: [...sections, last] } };
    await slack.openHome('U1');
    await soon(() => shownTo('U1')).toContain('The last of all');
    expect(slack.home('U1')?.blocks.length).toBeLessThanOrEqual(100);
  });

  test('is not published for the other tabs', async () => {
    const { slack, eventsUrl, published } = await withHomes('http');
    expect(eventsUrl).toContain('/slack/events');
    const event = { type: 'app_home_opened', user: 'U1', channel: 'D1', tab: 'messages', event_ts: '1.2' };
    const body = { type: 'event_callback', team_id: TEAM, event_id: 'Ev1', event };
    expect(await slack.post('application/json', JSON.stringify(body))).toMatchObject({ status: 200 });
    expect([published(), await homes.lately()]).toEqual([0, []]);
  });
});

test('a click in the window is answered there', async () => {
  const { slack, pipeline, shownTo } = await withHomes('http');
  await slack.openHome('U1');
  await soon(() => shownTo('U1')).toContain('Fix login');
  pipeline.reply = HOME;
  await slack.clickInHome('U1', 'Show');
  await soon(() => slack.modals('U1').length).toBe(1);
  pipeline.reply = { text: 'TSK-1 went to done.' };
  const [view] = slack.modals('U1');
  const payload = {
    type: 'block_actions',
    team: { id: TEAM },
    user: { id: 'U1', team_id: TEAM },
    trigger_id: 'another',
    container: { type: 'view', view_id: view?.id },
    view,
    actions: [
      {
        action_id: 'run:0:task.move',
        block_id: 'b',
        type: 'button',
        value: '{"command":"task.move","args":{}}',
      },
    ],
  };
  const form = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  expect(await slack.post('application/x-www-form-urlencoded', form)).toMatchObject({ status: 200 });
  await soon(() => JSON.stringify(slack.modals('U1'))).toContain('TSK-1 went to done.');
  expect(slack.messages).toEqual([]);
});
