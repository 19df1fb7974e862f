import { describe, expect, test } from 'vitest';
import { input, modal, option, plain, stage, trigger, type Stage } from './support.ts';

const TITLE = input('title', { type: 'plain_text_input', min_length: 2, max_length: 20 });
const PRIORITY = input(
  'priority',
  { type: 'static_select', options: ['p0', 'p1'].map(option) },
  { optional: true },
);

async function opened(view: object = modal(TITLE, PRIORITY)): Promise<Stage> {
  const all = await stage();
  expect(await all.call('views.open', { trigger_id: await trigger(all), view })).toMatchObject({ ok: true });
  return all;
}

describe('a modal', () => {
  test('opens for whoever caused the trigger', async () => {
    const { slack } = await opened();
    const [view] = slack.modals('U0ANA');
    expect(view).toMatchObject({
      callback_id: 'task.create',
      private_metadata: 'kept',
      title: plain('New task'),
      state: { values: {} },
      previous_view_id: null,
    });
    expect(view?.root_view_id).toBe(view?.id);
    expect(slack.modals('U0BEN')).toEqual([]);
    slack.assertClean();
  });

  test('opens once for a trigger, and within three seconds', async () => {
    const all = await stage();
    const { call, clock, slack } = all;
    const first = await trigger(all);
    await call('views.open', { trigger_id: first, view: modal() });
    expect(await call('views.open', { trigger_id: first, view: modal() })).toMatchObject({
      error: 'exchanged_trigger_id',
    });
    expect(await call('views.open', { trigger_id: '1.2.f', view: modal() })).toMatchObject({
      error: 'invalid_trigger_id',
    });
    const late = await trigger(all);
    clock.pass(3_001);
    expect(await call('views.open', { trigger_id: late, view: modal() })).toMatchObject({
      error: 'expired_trigger_id',
    });
    expect(slack.violations).toHaveLength(2);
  });

  test('sends what was typed, and closes when that is acknowledged', async () => {
    const { slack, delivered } = await opened();
    await slack.submitModal('U0ANA', { title: 'Fix login', 'priority.value': 'P1' });
    const { payload } = delivered.at(-1) ?? {};
    expect(payload).toMatchObject({
      type: 'view_submission',
      user: { id: 'U0ANA' },
      response_urls: [],
      view: {
        callback_id: 'task.create',
        state: {
          values: {
            title: { 'title.value': { type: 'plain_text_input', value: 'Fix login' } },
            priority: { 'priority.value': { type: 'static_select', selected_option: option('p1') } },
          },
        },
      },
    });
    expect(slack.modals('U0ANA')).toEqual([]);
    slack.assertClean();
  });

  test.each([
    ['a missing value', {}, /title: a value is required/],
    ['too little text', { title: 'x' }, /not between 2 and 20/],
    ['two lines in one', { title: 'x\ny' }, /single line/],
    ['an option that is not there', { title: 'Fix', priority: 'p9' }, /no option "p9"/],
    ['a field that is not there', { title: 'Fix', colour: 'red' }, /No input "colour"/],
  ])('does not take %s', async (_, values, what) => {
    const { slack, delivered } = await opened();
    await expect(slack.submitModal('U0ANA', values)).rejects.toThrow(what);
    expect(delivered).toHaveLength(1);
  });

  test('shows errors under its fields until it is sent again', async () => {
    const { slack, app } = await opened();
    app.reply = () => ({ body: { response_action: 'errors', errors: { title: 'Too dull' } } });
    await slack.submitModal('U0ANA', { title: 'Fix login' });
    expect(slack.modalErrors('U0ANA')).toEqual({ title: 'Too dull' });
    expect(slack.modals('U0ANA')).toHaveLength(1);
    app.reply = () => ({});
    await slack.submitModal('U0ANA', { title: 'Fix it' });
    expect(slack.modalErrors('U0ANA')).toEqual({});
    slack.assertClean();
  });

  test('is replaced, covered and cleared by acknowledgements', async () => {
    const { slack, app } = await opened();
    const [before] = slack.modals('U0ANA');
    app.reply = () => ({ body: { response_action: 'update', view: modal(PRIORITY) } });
    await slack.submitModal('U0ANA', { title: 'Fix login' });
    const [after] = slack.modals('U0ANA');
    expect(after?.id).toBe(before?.id);
    expect(after?.hash).not.toBe(before?.hash);
    app.reply = () => ({ body: { response_action: 'push', view: modal(TITLE) } });
    await slack.submitModal('U0ANA', {});
    expect(slack.modals('U0ANA')).toMatchObject([
      { id: before?.id },
      { root_view_id: before?.id, previous_view_id: before?.id },
    ]);
    app.reply = () => ({ body: { response_action: 'clear' } });
    await slack.submitModal('U0ANA', { title: 'Fix login' });
    expect(slack.modals('U0ANA')).toEqual([]);
    slack.assertClean();
  });

  test.each([
    [{ text: 'lost' }, /no response_action/],
    [{ response_action: 'errors', errors: { colour: 'x' } }, /colour, which is no input block/],
    [{ response_action: 'errors' }, /errors are missing/],
    [{ response_action: 'update', view: { type: 'modal', blocks: [] } }, /title is missing/],
  ])('notes the acknowledgement %j', async (body, what) => {
    const { slack, app } = await opened();
    app.reply = () => ({ body });
    await slack.submitModal('U0ANA', { title: 'Fix login' });
    expect(() => slack.assertClean()).toThrow(what);
  });

  test('is updated only as it was last seen', async () => {
    const { slack, call } = await opened();
    const [view] = slack.modals('U0ANA');
    const update = { view_id: view?.id, hash: view?.hash, view: modal() };
    const answer = await call('views.update', update);
    expect(answer).toMatchObject({ ok: true, view: { id: view?.id } });
    expect(await call('views.update', update)).toEqual({ ok: false, error: 'hash_conflict' });
    expect(await call('views.update', { view_id: 'V0', view: modal() })).toMatchObject({
      error: 'not_found',
    });
    slack.assertClean();
  });

  test('tells the app that it was closed where that was asked for', async () => {
    const { slack, delivered } = await opened({ ...modal(TITLE), notify_on_close: true });
    await slack.closeModal('U0ANA');
    expect(delivered.at(-1)?.payload).toMatchObject({ type: 'view_closed', is_cleared: false });
    expect(slack.modals('U0ANA')).toEqual([]);
  });

  test('sends what was filled in so far when a button in it is clicked', async () => {
    const button = { type: 'button', action_id: 'more', text: plain('More') };
    const { slack, delivered } = await opened(modal(TITLE, { type: 'actions', elements: [button] }));
    await slack.clickInModal('U0ANA', 'More', {});
    expect(delivered.at(-1)?.payload).toMatchObject({
      type: 'block_actions',
      container: { type: 'view', view_id: slack.modals('U0ANA')[0]?.id },
      view: { state: { values: { title: { 'title.value': { value: null } } } } },
      actions: [{ action_id: 'more', block_id: 'b2' }],
    });
    slack.assertClean();
  });

  test('is refused where it is wrong', async () => {
    const all = await stage();
    const view = { ...modal(TITLE), submit: undefined, title: plain('x'.repeat(25)) };
    const answer = await all.call('views.open', { trigger_id: await trigger(all), view });
    expect(answer).toMatchObject({ error: 'invalid_arguments' });
    expect(all.slack.violations).toEqual([
      'views.open: title is empty or too long',
      'views.open: submit is missing where there is input',
    ]);
  });
});

describe('Home', () => {
  const button = (id: string) => ({ type: 'button', action_id: id, value: 'v', text: plain('Approve') });
  const home = (...blocks: object[]) => ({ type: 'home', blocks });

  test('shows what was published, and is opened with it', async () => {
    const { slack, call, delivered } = await stage();
    await slack.openHome('U0ANA');
    expect(delivered[0]?.payload['event']).toEqual({
      type: 'app_home_opened',
      user: 'U0ANA',
      channel: 'D0ANA',
      tab: 'home',
      event_ts: expect.any(String) as string,
    });
    const { view } = await call('views.publish', { user_id: 'U0ANA', view: home({ type: 'divider' }) });
    expect(slack.home('U0ANA')).toEqual(view);
    await slack.openHome('U0ANA');
    expect(delivered[1]?.payload['event']).toMatchObject({ tab: 'home', view });
    slack.assertClean();
  });

  test('keeps its id, and is published only over what was seen', async () => {
    const { slack, call } = await stage();
    await call('views.publish', { user_id: 'U0ANA', view: home() });
    const seen = slack.home('U0ANA');
    await call('views.publish', { user_id: 'U0ANA', view: home(), hash: seen?.hash });
    expect(slack.home('U0ANA')?.id).toBe(seen?.id);
    expect(await call('views.publish', { user_id: 'U0ANA', view: home(), hash: seen?.hash })).toEqual({
      ok: false,
      error: 'hash_conflict',
    });
  });

  test('is clicked with its view, and without a place to answer', async () => {
    const { slack, call, delivered } = await stage();
    const section = {
      type: 'section',
      block_id: 's1',
      text: plain('APR-1'),
      accessory: button('sb:approve'),
    };
    await call('views.publish', { user_id: 'U0ANA', view: home(section) });
    await slack.clickInHome('U0ANA', 'Approve');
    const { payload = {} } = delivered[0] ?? {};
    expect(payload).toMatchObject({
      type: 'block_actions',
      container: { type: 'view', view_id: slack.home('U0ANA')?.id },
      view: { hash: slack.home('U0ANA')?.hash },
      actions: [{ action_id: 'sb:approve', block_id: 's1', value: 'v' }],
    });
    for (const name of ['channel', 'message', 'response_url']) expect(payload).not.toHaveProperty(name);
    const again = await call('views.open', { trigger_id: payload['trigger_id'], view: modal() });
    expect(again).toMatchObject({ ok: true });
    slack.assertClean();
  });
});
