import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { input, modal, plain, stage, trigger, type Stage } from './support.ts';

/**
 * The payloads of the fake beside those that Slack publishes (`published/`, each with its sources; the values are
 * made up): a field that is sent is published with the same type of JSON, and what is published is sent, or it is
 * named here with the reason.
 */
interface Case {
  readonly name: string;
  /** What the fake sends, once everything that it can carry is in it. */
  readonly sent: (all: Stage) => Promise<unknown>;
  /** Published fields that are not sent. */
  readonly not?: Readonly<Record<string, string>>;
}

const CLIENT = 'made by the clients of people';
const ENTERPRISE = 'Enterprise only';
const WORKFLOW = 'workflow apps only';
const RICH = 'what people typed, once more as rich text';
const TYPED = { 'event.client_msg_id': CLIENT, 'event.blocks': RICH };
const PREVIOUS = { 'event.previous_message.client_msg_id': CLIENT, 'event.previous_message.blocks': RICH };

const button = { type: 'button', action_id: 'approve', value: 'v', style: 'primary', text: plain('Approve') };
const blocks = [{ type: 'actions', elements: [button] }];
const MODAL = { ...modal(input('title', { type: 'plain_text_input' })), close: plain('Back') };
const THREAD = '1700000000.000100';
const DM = { user: 'U0ANA', thread: THREAD };
const IN_OPS = { user: 'U0ANA', channel: 'C0OPS' };
const TOLD = { channel: 'C0OPS', ts: '1700000000.000200', text: 'x', user: 'U0BEN', thread_ts: THREAD };

/** What came last, after somebody did something. */
const after = (act: (all: Stage) => Promise<unknown>) => async (all: Stage) => {
  await act(all);
  await all.slack.settled();
  return all.delivered.at(-1)?.payload;
};

const published = ({ call }: Stage) =>
  call('views.publish', { user_id: 'U0ANA', view: { type: 'home', blocks } });
const opened = async (all: Stage, more: object = {}) =>
  all.call('views.open', { trigger_id: await trigger(all), view: { ...MODAL, ...more } });
const said = ({ slack }: Stage) => slack.directMessage('x', { user: 'U0ANA' });

const CASES: readonly Case[] = [
  {
    name: 'slash_command',
    sent: after(({ slack }) => slack.slashCommand('status', IN_OPS)),
    not: { enterprise_id: ENTERPRISE, enterprise_name: ENTERPRISE },
  },
  {
    name: 'app_mention',
    sent: after(({ slack }) => slack.event('status', { ...IN_OPS, thread: THREAD })),
    not: TYPED,
  },
  { name: 'message_im', sent: after(({ slack }) => slack.directMessage('status', DM)), not: TYPED },
  {
    name: 'message_im_by_bot',
    sent: after(({ call }) =>
      call('chat.postMessage', { channel: 'U0ANA', text: 'x', blocks, thread_ts: THREAD }),
    ),
    not: { 'event.bot_profile': 'the app knows itself' },
  },
  {
    name: 'message_changed',
    sent: after(async (all) => all.slack.editMessage(await said(all), 'y')),
    not: { 'event.message.client_msg_id': CLIENT, 'event.message.blocks': RICH, ...PREVIOUS },
  },
  {
    name: 'message_deleted',
    sent: after(async (all) => all.slack.deleteMessage(await said(all))),
    not: PREVIOUS,
  },
  {
    name: 'app_home_opened',
    sent: after(async (all) => {
      await published(all);
      await all.slack.openHome('U0ANA');
    }),
  },
  {
    name: 'block_actions_message',
    sent: after(async ({ slack, call }) => {
      await call('chat.postMessage', { channel: 'C0OPS', text: 'x', blocks, thread_ts: THREAD });
      const [card] = slack.messages;
      if (card) await slack.clickButton(card, 'Approve', 'U0ANA');
    }),
  },
  {
    name: 'block_actions_view',
    sent: after(async (all) => {
      await published(all);
      await all.slack.clickInHome('U0ANA', 'Approve');
    }),
  },
  {
    name: 'view_submission',
    sent: after(async (all) => {
      await opened(all);
      await all.slack.submitModal('U0ANA', { title: 'x' });
    }),
    not: {
      'view.submit_disabled': WORKFLOW,
      function_data: WORKFLOW,
      interactivity: WORKFLOW,
      bot_access_token: WORKFLOW,
    },
  },
  {
    name: 'view_closed',
    sent: after(async (all) => {
      await opened(all, { notify_on_close: true });
      await all.slack.closeModal('U0ANA');
    }),
    not: { 'view.submit_disabled': WORKFLOW },
  },
  {
    name: 'message_action',
    sent: after(({ slack }) => slack.messageShortcut('task', TOLD, 'U0ANA')),
    not: { 'message.client_msg_id': CLIENT, 'message.blocks': RICH },
  },
  { name: 'hello', sent: async (all) => (await frames(all))[0] },
  {
    name: 'disconnect',
    sent: async (all) => {
      const seen = await frames(all);
      all.slack.socket.refresh();
      await expect.poll(() => seen).toHaveLength(2);
      return seen[1];
    },
  },
  { name: 'envelope_events_api', sent: enveloped(({ slack }) => slack.directMessage('x', DM)) },
  { name: 'envelope_slash_commands', sent: enveloped(({ slack }) => slack.slashCommand('x', IN_OPS)) },
  {
    name: 'envelope_interactive',
    sent: enveloped(({ slack }) => slack.messageShortcut('task', TOLD, 'U0ANA')),
  },
  {
    name: 'users_info',
    sent: ({ slack, call }) => {
      slack.addUser({ id: 'U0OUT', isStranger: true });
      return call('users.info', { user: 'U0OUT' });
    },
    not: {
      'user.has_2fa': 'only administrators are told',
      'user.profile.email': 'takes the scope users:read.email',
      ...Object.fromEntries(
        [24, 32, 48, 72, 192, 512].map((size) => [`user.profile.image_${size}`, 'no pictures']),
      ),
    },
  },
  {
    name: 'conversations_history',
    sent: async (all) => {
      const metadata = { event_type: 'task_created', event_payload: { id: 'TSK-1' } };
      const posted = await all.call('chat.postMessage', { channel: 'U0ANA', text: 'x', blocks, metadata });
      await all.slack.editMessage({ channel: 'D0ANA', ts: String(posted['ts']) }, 'y');
      await said(all);
      const page = { channel: 'D0ANA', limit: 1, include_all_metadata: true };
      const newest = await all.call('conversations.history', page);
      const older = await all.call('conversations.history', { ...page, cursor: '1' });
      return { ...newest, messages: [newest['messages'], older['messages']].flat() };
    },
    not: {
      'messages[].client_msg_id': CLIENT,
      'messages[].thread_ts': 'answers are in conversations.replies',
      channel_actions_ts: 'undocumented, and of no use to an app',
      channel_actions_count: 'undocumented, and of no use to an app',
    },
  },
];

test.each(CASES)('$name is sent as it is published', async ({ name, sent, not = {} }) => {
  const file = new URL(`published/${name}.json`, import.meta.url);
  const theirs = shapeOf((JSON.parse(await readFile(file, 'utf8')) as { payload: unknown }).payload);
  const ours = shapeOf(await sent(await stage()));
  const odd = [...ours].filter(([path, type]) => theirs.get(path) !== type);
  expect(odd, 'sent, and not published so').toEqual([]);
  const missing = [...theirs.keys()].filter((path) => !ours.has(path));
  const isNamed = (path: string): boolean =>
    Object.keys(not).some((one) => path === one || path.startsWith(`${one}.`));
  expect(
    missing.filter((path) => !isNamed(path)),
    'published, and not sent',
  ).toEqual([]);
  expect(
    Object.keys(not).filter((path) => !missing.includes(path)),
    'named, and sent after all',
  ).toEqual([]);
});

/** What is checked elsewhere: Block Kit, values that people typed, what envelopes carry. */
const OPAQUE = new Set(['blocks', 'values', 'payload', 'event_payload']);

/** The types of JSON by path; an item of a list has the path of them all. */
function shapeOf(value: unknown, path = '', shape = new Map<string, string>()): Map<string, string> {
  if (path !== '') shape.set(path, typeOf(value));
  if (OPAQUE.has(path.split('.').at(-1) ?? '')) return shape;
  if (Array.isArray(value)) for (const item of value) shapeOf(item, `${path}[]`, shape);
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value))
      shapeOf(item, path === '' ? key : `${path}.${key}`, shape);
  return shape;
}

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;

/** What comes over a socket, the greeting first; everything is acknowledged. */
async function frames({ call }: Stage): Promise<Record<string, unknown>[]> {
  const { url } = await call('apps.connections.open', {}, 'xapp-fake');
  const socket = new WebSocket(String(url));
  const seen: Record<string, unknown>[] = [];
  await new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Record<string, unknown>;
      seen.push(frame);
      if (frame['type'] === 'hello') resolve();
      else if (frame['envelope_id'] !== undefined)
        socket.send(JSON.stringify({ envelope_id: frame['envelope_id'] }));
    });
  });
  return seen;
}

function enveloped(act: (all: Stage) => Promise<unknown>) {
  return async (all: Stage): Promise<unknown> => {
    const seen = await frames(all);
    await act(all);
    return seen[1];
  };
}
