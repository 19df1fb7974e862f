import { describe, expect, onTestFinished, test } from 'vitest';
import { startFakeSlack } from '../index.ts';
import type { Clicked } from '../messages.ts';
import { noBrowser } from '../../../support/browser.ts';
import { say, usePages } from './browser.ts';
import { readManifest } from './manifest.ts';
import { startPage } from './server.ts';
import type { Outcome, PageMessage, PageState, PageWorld } from './world.ts';

const BOT = 'UBOT00001';
const ANA = 'UANA00001';
const GENERAL = 'C0GENERAL';
const plain = (text: string) => ({ type: 'plain_text', text });
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text });

/** Keeps what it is told to do, and shows what a test puts into it. */
class StubWorld implements PageWorld {
  readonly apiUrl = 'http://127.0.0.1:9/api/';
  readonly botUser = BOT;
  readonly violations: string[] = [];
  readonly socket = { isOpen: true };
  readonly calls: unknown[][] = [];
  readonly messages: PageMessage[] = [];
  homes: Record<string, PageState['homes'][string]> = {};
  modals: PageState['modals'] = {};
  modalErrors: Record<string, Record<string, string>> = {};
  answer: () => Outcome = () => ({ status: 200, milliseconds: 12.4 });
  readonly #listeners = new Set<() => void>();

  state(): PageState {
    const { messages, homes, modals, modalErrors } = this;
    const users = [{ id: BOT, name: 'signalbox', isBot: true }];
    return { team: { id: 'T0TEAM001' }, users, channels: [], messages, homes, modals, modalErrors };
  }
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** Changes the world as the app would. */
  change(how: () => void): void {
    how();
    for (const listener of this.#listeners) listener();
  }
  post(message: Partial<PageMessage>): void {
    const ts = `${1_800_000_000 + this.messages.length}.000001`;
    this.change(() =>
      this.messages.push({ channel: GENERAL, ts, user: BOT, text: '', blocks: [], ...message }),
    );
  }
  slashCommand = (...told: unknown[]) => this.#take('slashCommand', told);
  event = (...told: unknown[]) => this.#take('event', told);
  directMessage = (...told: unknown[]) => this.#take('directMessage', told);
  say = (...told: unknown[]) => this.#take('say', told);
  editMessage = (...told: unknown[]) => this.#take('editMessage', told);
  deleteMessage = (...told: unknown[]) => this.#take('deleteMessage', told);
  clickButton = ({ ts }: PageMessage, { action_id: id }: Clicked, user: string) =>
    this.#take('clickButton', [ts, id, user]);
  clickInHome = (user: string, { action_id: id }: Clicked) => this.#take('clickInHome', [user, id]);
  clickInModal = (user: string, { action_id: id }: Clicked, values: unknown) =>
    this.#take('clickInModal', [user, id, values]);
  openHome = (...told: unknown[]) => this.#take('openHome', told);
  messageShortcut = (...told: unknown[]) => this.#take('messageShortcut', told);
  submitModal = (...told: unknown[]) => this.#take('submitModal', told);
  closeModal = (user: string) => {
    this.change(() => (this.modals = {}));
    return this.#take('closeModal', [user]);
  };
  dmOf = (user: string) => user.replace('U', 'D');

  async #take(what: string, told: unknown[]): Promise<Outcome> {
    this.calls.push([what, ...told]);
    return this.answer();
  }
}

test('what the app asks of Slack comes from its manifest', async () => {
  const app = await readManifest(new URL('../../../../manifest.yml', import.meta.url));
  expect(app.scopes).toContain('chat:write');
  expect(app.events).toContain('app_mention');
  expect(app.shortcuts.every(({ name, callback }) => name !== '' && callback !== '')).toBe(true);
});

test('another site can neither read nor send', async () => {
  const { url } = await serve(new StubWorld());
  const body = JSON.stringify({ what: 'home', as: ANA });
  const foreign = await fetch(`${url}/ui/do`, {
    method: 'POST',
    body,
    headers: { origin: 'http://evil.test' },
  });
  expect(foreign.status).toBe(403);
  const wrong = await fetch(`${url}/ui/do`, { method: 'POST', body: '{"what":"fly"}' });
  expect(wrong.status).toBe(400);
  expect((await fetch(`${url}/web/../server.ts`)).status).toBe(404);
});

test("the fake's Web API stands under the page's address", async () => {
  const tokens = { signingSecret: 'fake-signing-secret', botToken: 'xoxb-fake', appToken: 'xapp-fake' };
  const fake = await startFakeSlack({ ...tokens, teamId: 'T0TEAM001' });
  onTestFinished(() => fake.close());
  const { url } = await serve(Object.assign(new StubWorld(), { apiUrl: fake.apiUrl }));
  const headers = { authorization: 'Bearer xoxb-fake' };
  const call = () => fetch(`${url}/api/auth.test`, { method: 'POST', headers });
  expect(await (await call()).json()).toMatchObject({ ok: true, team_id: 'T0TEAM001' });
  fake.failNext('auth.test', { status: 429, retryAfter: 7 });
  const limited = await call();
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7']);
  fake.failNext('auth.test', { drop: true });
  await expect(call()).rejects.toThrow('fetch failed');
});

async function serve(world: PageWorld) {
  const shortcuts = [{ name: 'Open a task from this message', callback: 'task_from_message' }];
  const target = 'http://127.0.0.1:9/slack/events';
  const page = await startPage(world, { port: 0, target, app: { shortcuts, hasHome: true } });
  onTestFinished(() => page.close());
  return page;
}

describe.skipIf(noBrowser)('the page, in a real browser', () => {
  const look = usePages();

  async function open(where = '#/ana/general') {
    const world = new StubWorld();
    const { url } = await serve(world);
    return { world, page: await look(url, where) };
  }

  test('a typed line goes out as a command, a mention or a direct message', async () => {
    const { world, page } = await open();
    await say(page, '/sb task create "a < b" --owner @ben');
    await page.locator('#deliveries li', { hasText: '200' }).waitFor();
    expect(await page.locator('#line').inputValue()).toBe('');
    await say(page, '@signalbox status');
    await page.locator('[data-person=UGUS00001]').click();
    await page.locator('[data-place=signalbox]').click();
    await page.locator('#title', { hasText: 'Signalbox' }).waitFor();
    await say(page, 'whoami');
    expect(world.calls).toEqual([
      [
        'slashCommand',
        'task create "a &lt; b" --owner <@UBEN00001|ben>',
        { user: ANA, channel: GENERAL, command: '/sb' },
      ],
      ['event', `<@${BOT}> status`, { user: ANA, channel: GENERAL }],
      ['directMessage', 'whoami', { user: 'UGUS00001' }],
    ]);
  });

  test('what could not be delivered stays, and the page says why', async () => {
    const { world, page } = await open();
    world.answer = () => {
      throw new TypeError('fetch failed');
    };
    await say(page, '/sb job list');
    await page.locator('#notice-text', { hasText: 'cannot be reached at http://127.0.0.1:9' }).waitFor();
    expect(await page.locator('#line').inputValue()).toBe('/sb job list');
    world.answer = () => ({ status: 0, milliseconds: 3_000 });
    await say(page, '/sb job list');
    await page.locator('#notice-text', { hasText: 'within three seconds' }).waitFor();
    await say(page, '/weather');
    await page.locator('#notice-text', { hasText: '/signalbox and /sb' }).waitFor();
  });

  test('a card is drawn, its button clicked, and redrawn when it changes', async () => {
    const { world, page } = await open();
    const blocks = [
      { type: 'header', text: plain('Approval APR-12') },
      { type: 'section', fields: [mrkdwn('*Asked by* <@UBEN00001>'), mrkdwn('`deploy` to <#C0OPS0001>')] },
      { type: 'context', elements: [mrkdwn('left: <!date^1800000000^{date_num} {ago}|soon>')] },
      {
        type: 'actions',
        elements: [
          { type: 'button', action_id: 'approve', value: 'v', style: 'primary', text: plain('Approve') },
          {
            type: 'button',
            action_id: 'deny',
            value: 'v',
            style: 'danger',
            text: plain('Deny'),
            confirm: {
              title: plain('Sure?'),
              text: plain('It ends.'),
              confirm: plain('Deny'),
              deny: plain('Back'),
            },
          },
        ],
      },
    ];
    world.post({ ts: '1800000000.000001', blocks });
    world.post({ ts: '1800000001.000001', thread_ts: '1800000000.000001', text: 'running' });
    world.post({ text: 'for Ben', ephemeralFor: 'UBEN00001' });
    const card = page.locator('.message[data-ts="1800000000.000001"]');
    await card.locator('.header', { hasText: 'Approval APR-12' }).waitFor();
    expect(await card.locator('.fields').innerText()).toMatch(/Asked by @Ben\s+deploy to #ops/);
    expect(await card.locator('time[data-pattern]').innerText()).toMatch(/^2027-01-1\d \S+/);
    expect(await page.locator('.message.reply').innerText()).toContain('running');
    expect(await page.locator('#messages').innerText()).not.toContain('for Ben');
    await card.locator('[data-action=approve]').click();
    await card.locator('[data-action=deny]').click();
    await page.locator('#confirm .primary').click();
    await page.locator('#deliveries li', { hasText: 'click deny' }).waitFor();
    expect(world.calls).toEqual([
      ['clickButton', '1800000000.000001', 'approve', ANA],
      ['clickButton', '1800000000.000001', 'deny', ANA],
    ]);
    world.change(
      () =>
        (world.messages[0] = {
          ...world.messages[0]!,
          blocks: [],
          text: 'Approved',
          edited: { user: BOT, ts: '1800000002.000001' },
        }),
    );
    await card.locator('.text', { hasText: 'Approved' }).waitFor();
    expect(await card.locator('button[data-action]').count()).toBe(0);
  });

  test("people's own messages can be made into tasks", async () => {
    const { world, page } = await open();
    const text = 'the build is *red* again, see <https://ci.test/1>';
    await say(page, 'the build is *red* again, see https://ci.test/1');
    expect(world.calls).toEqual([['say', text, { user: ANA, channel: GENERAL }]]);
    world.post({ user: ANA, text });
    const message = page.locator('.message').first();
    await message.hover();
    await message.locator('.more').click();
    await message.locator('[data-shortcut=task_from_message]').click();
    await page.locator('#deliveries li', { hasText: 'shortcut' }).waitFor();
    const ts = await message.getAttribute('data-ts');
    expect(world.calls.at(-1)).toEqual([
      'messageShortcut',
      'task_from_message',
      { channel: GENERAL, ts, text, user: ANA },
      ANA,
    ]);
    await message.locator('.reply-in-thread').click();
    await say(page, '@signalbox status');
    expect(world.calls.at(-1)).toEqual([
      'event',
      `<@${BOT}> status`,
      { user: ANA, channel: GENERAL, thread: ts },
    ]);
  });

  test('a modal takes every kind of input, and shows its errors under their fields', async () => {
    const { world, page } = await open();
    const option = (value: string) => ({ value, text: plain(value) });
    const input = (block_id: string, element: object) => ({
      type: 'input',
      block_id,
      label: plain(block_id),
      element: { action_id: 'a', ...element },
    });
    const options = [option('P0'), option('P1')];
    const view = {
      id: 'V1',
      hash: 'h1',
      callback_id: 'task.create',
      title: plain('New task'),
      submit: plain('Create'),
      close: plain('Cancel'),
      blocks: [
        input('title', { type: 'plain_text_input' }),
        input('notes', { type: 'plain_text_input', multiline: true }),
        input('tries', { type: 'number_input', is_decimal_allowed: false, min_value: '1' }),
        input('priority', { type: 'static_select', options }),
        input('labels', { type: 'multi_static_select', options }),
        input('flags', { type: 'checkboxes', options }),
        input('kind', { type: 'radio_buttons', options, initial_option: options[1] }),
        input('due', { type: 'datepicker', initial_date: '2030-01-02' }),
        input('start', { type: 'datetimepicker', initial_date_time: 1_800_000_000 }),
        input('owner', { type: 'users_select' }),
      ],
    };
    world.change(() => (world.modals = { [ANA]: [view] }));
    const field = (block: string) => page.locator(`#modal .field[data-block=${block}]`);
    await field('title').locator('input').fill('Fix login');
    await field('notes').locator('textarea').fill('line 1\nline 2');
    await field('tries').locator('input').fill('0');
    await field('priority').locator('select').selectOption('P0');
    await field('labels').getByLabel('P1').check();
    await field('flags').getByLabel('P0').check();
    await page.locator('#modal button[type=submit]').click();
    await field('tries').locator('.field-error', { hasText: '1 or more' }).waitFor();
    world.post({ text: 'meanwhile' });
    await page.locator('.message', { hasText: 'meanwhile' }).waitFor();
    expect(await field('owner').locator('.field-error').innerText()).toContain('required');
    expect(world.calls).toEqual([]);
    await field('tries').locator('input').fill('3');
    await field('owner').locator('select').selectOption({ label: 'Ben' });
    await page.locator('#modal button[type=submit]').click();
    await expect.poll(() => world.calls.length).toBe(1);
    expect(world.calls[0]).toEqual([
      'submitModal',
      ANA,
      {
        title: 'Fix login',
        notes: 'line 1\nline 2',
        tries: '3',
        priority: 'P0',
        labels: ['P1'],
        flags: ['P0'],
        kind: 'P1',
        due: '2030-01-02',
        start: '1800000000',
        owner: 'UBEN00001',
      },
    ]);
    world.change(() => (world.modalErrors = { [ANA]: { title: 'There is one already.' } }));
    await field('title').locator('.field-error', { hasText: 'There is one already.' }).waitFor();
    expect(await field('title').locator('input').inputValue()).toBe('Fix login');
    await page.keyboard.press('Escape');
    await page.locator('#modal').waitFor({ state: 'hidden' });
    expect(world.calls.at(-1)).toEqual(['closeModal', ANA]);
  });

  test('Home is opened, drawn and clicked', async () => {
    const { world, page } = await open('#/cleo/home');
    await expect.poll(() => world.calls).toEqual([['openHome', 'UCLEO0001']]);
    const button = { type: 'button', action_id: 'show', value: 'v', text: plain('Show') };
    const blocks = [
      { type: 'section', block_id: 's1', text: mrkdwn('*TSK-1* Fix login'), accessory: button },
    ];
    world.change(() => (world.homes = { UCLEO0001: { blocks } }));
    await page.locator('#home [data-action=show]').click();
    await expect.poll(() => world.calls.at(-1)).toEqual(['clickInHome', 'UCLEO0001', 'show']);
    expect(await page.locator('#home strong').innerText()).toBe('TSK-1');
  });

  test('hostile text stays text', async () => {
    const { world, page } = await open();
    const hostile = '<img src=x onerror=alert(1)>';
    const escaped = '&lt;img src=x onerror=alert(1)&gt;';
    world.post({ text: `${escaped} <javascript:alert(1)|click> <img/onerror=alert(1)>` });
    world.post({ blocks: [{ type: 'header', text: plain(hostile) }] });
    world.change(() => world.violations.push(hostile));
    await page.locator('.header', { hasText: hostile }).waitFor();
    expect(await page.locator('.message').first().innerText()).toContain(hostile);
    expect(await page.locator('#violations').innerText()).toBe(hostile);
    expect(await page.locator('#messages img, #drawer img, #messages a').count()).toBe(0);
  });

  test('it fits a narrow screen, and is dark in the dark', async () => {
    const { page } = await open();
    await page.setViewportSize({ width: 360, height: 640 });
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > window.innerWidth')).toBe(
      false,
    );
    const colour = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(colour).toBe('rgb(23, 25, 28)');
  });
});
