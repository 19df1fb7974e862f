import { describe, expect, onTestFinished, test } from 'vitest';
import { input, modal, option, plain, stage, type Stage } from '../support.ts';
import { noBrowser } from '../../../support/browser.ts';
import { say, usePages } from './browser.ts';
import { CHANNELS, PEOPLE } from './people.ts';
import { startPage } from './server.ts';

const ANA = 'UANA00001';
const SHORTCUT = { name: 'Open a task from this message', callback: 'task_from_message' };
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text });
const button = (id: string, value: string) => ({
  type: 'button',
  action_id: id,
  value,
  text: plain(`Approve ${value}`),
});

const FORM = modal(
  input('title', { type: 'plain_text_input', min_length: 3 }),
  input('notes', { type: 'plain_text_input', multiline: true }, { optional: true }),
  input('priority', { type: 'static_select', options: ['p0', 'p1'].map(option) }),
  input(
    'labels',
    { type: 'multi_static_select', options: ['web', 'api'].map(option), initial_options: [option('web')] },
    { optional: true },
  ),
  input('flags', { type: 'checkboxes', options: [option('urgent')] }, { optional: true }),
  input('due', { type: 'datetimepicker', initial_date_time: 1_800_000_000 }, { optional: true }),
  input('owner', { type: 'users_select' }, { optional: true }),
  input('watchers', { type: 'multi_users_select' }, { optional: true }),
  input('where', { type: 'conversations_select' }, { optional: true }),
);

/** The fake itself behind the page, and an app that does what a test says with what it is sent. */
describe.skipIf(noBrowser)('the page with the whole fake', () => {
  const look = usePages();

  async function open(where = '#/ana/general') {
    const all = await stage({ users: PEOPLE, channels: CHANNELS });
    const app = { shortcuts: [SHORTCUT], hasHome: true };
    const { url, close } = await startPage(all.slack, {
      port: 0,
      target: 'http://127.0.0.1:9/',
      app,
      clock: all.clock,
    });
    onTestFinished(close);
    const page = await look(url, where);
    return { ...all, page, last: () => all.delivered.at(-1)?.payload ?? {} };
  }

  /** Opens a view for whoever did what was sent last. */
  const openView = ({ call, last }: Pick<Stage, 'call'> & { last: () => Record<string, unknown> }) =>
    call('views.open', { trigger_id: last()['trigger_id'], view: FORM });

  test('a modal is opened by a command, filled, refused, corrected and closed', async () => {
    const opened = await open();
    const { page, app, last, slack } = opened;
    await say(page, '/sb task create');
    expect(await openView(opened)).toMatchObject({ ok: true });
    const field = (block: string) => page.locator(`#modal .field[data-block=${block}]`);
    await field('title').locator('input').fill('ok');
    await field('notes').locator('textarea').fill('line 1\nline 2');
    await field('priority').locator('select').selectOption('p1');
    await field('labels').getByLabel('WEB').uncheck();
    await field('flags').getByLabel('URGENT').check();
    await field('owner').locator('select').selectOption({ label: 'Ben' });
    await field('watchers').getByLabel('Cleo').check();
    await field('where').locator('select').selectOption({ label: 'ops' });
    const submit = page.locator('#modal button[type=submit]');
    await submit.click();
    await field('title').locator('.field-error', { hasText: 'at least 3' }).waitFor();
    app.reply = () => ({ body: { response_action: 'errors', errors: { title: 'There is one already.' } } });
    await field('title').locator('input').fill('Fix login');
    await submit.click();
    await field('title').locator('.field-error', { hasText: 'one already' }).waitFor();
    expect(await field('notes').locator('textarea').inputValue()).toBe('line 1\nline 2');
    app.reply = () => ({});
    await submit.click();
    await page.locator('#modal').waitFor({ state: 'hidden' });
    expect(last()).toMatchObject({ type: 'view_submission', user: { id: ANA } });
    expect((last()['view'] as { state: unknown }).state).toEqual({
      values: {
        title: { 'title.value': { type: 'plain_text_input', value: 'Fix login' } },
        notes: { 'notes.value': { type: 'plain_text_input', value: 'line 1\nline 2' } },
        priority: { 'priority.value': { type: 'static_select', selected_option: option('p1') } },
        labels: { 'labels.value': { type: 'multi_static_select', selected_options: [] } },
        flags: { 'flags.value': { type: 'checkboxes', selected_options: [option('urgent')] } },
        due: { 'due.value': { type: 'datetimepicker', selected_date_time: 1_800_000_000 } },
        owner: { 'owner.value': { type: 'users_select', selected_user: 'UBEN00001' } },
        watchers: { 'watchers.value': { type: 'multi_users_select', selected_users: ['UCLEO0001'] } },
        where: { 'where.value': { type: 'conversations_select', selected_conversation: 'C0OPS0001' } },
      },
    });
    slack.assertClean();
  });

  test('a modal is updated, covered, and closed', async () => {
    const opened = await open();
    const { page, app, call, slack } = opened;
    await say(page, '/sb task create');
    await openView(opened);
    await page.locator('#modal-title', { hasText: 'New task' }).waitFor();
    const [view] = slack.modals(ANA);
    const next = { ...modal(input('reason', { type: 'plain_text_input' })), title: plain('Why?') };
    await call('views.update', { view_id: view?.id, hash: view?.hash, view: next });
    await page.locator('#modal-title', { hasText: 'Why?' }).waitFor();
    app.reply = () => ({ body: { response_action: 'push', view: { ...modal(), title: plain('Sure?') } } });
    await page.locator('#modal .field input').fill('because');
    await page.locator('#modal button[type=submit]').click();
    await page.locator('#modal-title', { hasText: 'Sure?' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#modal-title', { hasText: 'Why?' }).waitFor();
    await page.locator('#modal .close').click();
    await page.locator('#modal').waitFor({ state: 'hidden' });
    expect(slack.modals(ANA)).toEqual([]);
    slack.assertClean();
  });

  test('a button in a modal sends what was typed so far, which stays when the view changes', async () => {
    const opened = await open();
    const { page, call, last, slack, delivered } = opened;
    await say(page, '/sb task create');
    const suggest = { type: 'actions', block_id: 'more', elements: [button('suggest', 'labels')] };
    const title = input('title', { type: 'plain_text_input' });
    const flags = input('flags', { type: 'checkboxes', options: [option('urgent')] }, { optional: true });
    const view = modal(title, flags, suggest);
    await call('views.open', { trigger_id: last()['trigger_id'], view });
    const field = (block: string) => page.locator(`#modal .field[data-block=${block}]`);
    await field('title').locator('input').fill('Fix login');
    await field('flags').getByLabel('URGENT').check();
    await page.locator('#modal [data-action=suggest]').click();
    await expect.poll(() => delivered.length).toBe(2);
    expect(last()).toMatchObject({
      type: 'block_actions',
      container: { type: 'view', view_id: slack.modals(ANA)[0]?.id },
      view: { state: { values: { title: { 'title.value': { value: 'Fix login' } } } } },
      actions: [{ action_id: 'suggest', block_id: 'more' }],
    });
    const more = modal(title, flags, input('labels', { type: 'plain_text_input' }));
    await call('views.update', { view_id: slack.modals(ANA)[0]?.id, view: more });
    await field('labels').waitFor();
    expect(await field('title').locator('input').inputValue()).toBe('Fix login');
    expect(await field('flags').getByLabel('URGENT').isChecked()).toBe(true);
    slack.assertClean();
  });

  test('Home is published when it is opened, and each of its buttons is its own', async () => {
    const { page, call, delivered, last, slack } = await open('#/ana/home');
    await expect.poll(() => delivered.length).toBe(1);
    expect(last()).toMatchObject({ event: { type: 'app_home_opened', tab: 'home', user: ANA } });
    const row = (id: string) => ({
      type: 'section',
      text: mrkdwn(`*${id}*`),
      accessory: button('sb:approve', id),
    });
    const menu = { type: 'static_select', action_id: 'sb:show', options: ['mine', 'all'].map(option) };
    const blocks = [row('APR-1'), row('APR-2'), { type: 'actions', elements: [menu] }];
    await call('views.publish', { user_id: ANA, view: { type: 'home', blocks } });
    await page.locator('#home button', { hasText: 'Approve APR-2' }).click();
    await expect.poll(() => delivered.length).toBe(2);
    expect(last()).toMatchObject({
      type: 'block_actions',
      container: { type: 'view', view_id: slack.home(ANA)?.id },
      actions: [{ type: 'button', action_id: 'sb:approve', block_id: 'b2', value: 'APR-2' }],
    });
    await page.locator('#home select').selectOption('all');
    await expect.poll(() => delivered.length).toBe(3);
    expect(last()).toMatchObject({
      actions: [{ type: 'static_select', action_id: 'sb:show', selected_option: option('all') }],
    });
    await page.locator('[data-person=UBEN00001]').click();
    await expect.poll(() => last()).toMatchObject({ event: { type: 'app_home_opened', user: 'UBEN00001' } });
    expect(await page.locator('#home .blocks').count()).toBe(0);
    slack.assertClean();
  });

  test('a shortcut shows the app a message that it never heard, and opens a modal', async () => {
    const opened = await open();
    const { page, delivered, last, slack } = opened;
    await say(page, 'the build is red');
    expect(delivered).toEqual([]);
    const message = page.locator('#messages .message[data-ts]');
    await message.hover();
    await message.locator('.more').click();
    await message.locator('[role=menuitem]', { hasText: SHORTCUT.name }).click();
    await expect.poll(() => delivered.length).toBe(1);
    expect(last()).toMatchObject({
      type: 'message_action',
      callback_id: SHORTCUT.callback,
      channel: { id: 'C0GENERAL', name: 'general' },
      message: { text: 'the build is red', user: ANA, ts: await message.getAttribute('data-ts') },
    });
    await openView(opened);
    await page.locator('#modal-title', { hasText: 'New task' }).waitFor();
    slack.assertClean();
  });

  test("one's own message is edited and deleted, and nobody else's", async () => {
    const { page, call, last, slack } = await open('#/ana/signalbox');
    await say(page, 'task create "a & b" --owner @ben');
    await call('chat.postMessage', { channel: ANA, text: 'Done.' });
    const message = page.locator('#messages .message', { hasText: 'task create' });
    const act = async (what: string) => {
      await message.hover();
      await message.locator('.more').click();
      await message.locator(`[data-own=${what}]`).click();
    };
    await act('edit');
    expect(await page.locator('#line').inputValue()).toBe('task create "a & b" --owner @Ben');
    await say(page, 'task create "c" --owner @Ben');
    await message.locator('.edited').waitFor();
    expect(last()).toMatchObject({
      event: {
        subtype: 'message_changed',
        message: { text: 'task create "c" --owner <@UBEN00001|ben>' },
        previous_message: { text: 'task create "a &amp; b" --owner <@UBEN00001|ben>' },
      },
    });
    expect(await page.locator('#line').inputValue()).toBe('');
    expect(await page.locator('#thread').isHidden()).toBe(true);
    await act('delete');
    await page.locator('#confirm .danger').click();
    await message.waitFor({ state: 'detached' });
    expect(last()).toMatchObject({ event: { subtype: 'message_deleted' } });
    const answer = page.locator('#messages .message', { hasText: 'Done.' });
    await answer.hover();
    await answer.locator('.more').click();
    expect(await answer.locator('[data-own]').count()).toBe(0);
    slack.assertClean();
  });

  test('times are told in the zone of whoever reads', async () => {
    const { page, call } = await open();
    const zone = await page.evaluate<string>('Intl.DateTimeFormat().resolvedOptions().timeZone');
    const at = new Date(1_700_000_000_000);
    const time = new Intl.DateTimeFormat('en-US', { timeZone: zone, hour: 'numeric', minute: '2-digit' });
    const text = mrkdwn('due <!date^1700000000^{date_num}, {time}, {date_short_pretty} · {ago}|in 2023>');
    await call('chat.postMessage', {
      channel: 'C0GENERAL',
      text: 'due',
      blocks: [{ type: 'section', text }],
    });
    const told = await page.locator('#messages time[data-pattern]').innerText();
    expect(told).toContain(time.format(at));
    expect(told).toMatch(/^2023-11-1\d, .*, Nov 1\d, 2023 · \d+ years? ago$/);
  });
});
