/** A conversation: its messages, with the answers of a thread below their parent. */
import { blockNodes } from './blocks.js';
import { byId, h, keyed } from './dom.js';
import { menuNodes } from './menu.js';
import { mrkdwn } from './mrkdwn.js';

/**
 * Draws the messages.
 * @param context `names`, the app's `shortcuts`, and `me`, who reads.
 * @param handlers `press(message, pointed)`, `reply(message)`, `shortcut(message, callback)`, `edit(message)`, `remove(message)`.
 */
export function drawMessages(messages, context, handlers) {
  const box = byId('messages');
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  keyed(
    box,
    inThreads(messages.map((message) => ({ ...message, isOwn: message.user === context.me }))),
    ({ channel, ts, ephemeralFor }) => `${channel}/${ts}/${ephemeralFor ?? ''}`,
    (message) => messageNode(message, context, handlers),
  );
  if (atEnd) box.scrollTop = box.scrollHeight;
}

/** Parents in order, each followed by its thread. Answers to what is not shown, as to a slash command, stand alone. */
function inThreads(messages) {
  const isAnswer = ({ thread_ts, ts }) => thread_ts !== undefined && thread_ts !== ts;
  const parents = messages.filter((message) => !isAnswer(message));
  const known = new Set(parents.map(({ ts }) => ts));
  const answers = Map.groupBy(messages.filter(isAnswer), ({ thread_ts }) => thread_ts);
  const orphans = [...answers.keys()].filter((ts) => !known.has(ts)).flatMap((ts) => answers.get(ts));
  return [...parents, ...orphans]
    .toSorted((a, b) => Number(a.ts) - Number(b.ts))
    .flatMap((parent) => [
      { ...parent, isReply: false },
      ...(isAnswer(parent) ? [] : (answers.get(parent.ts) ?? [])).map((answer) => ({
        ...answer,
        isReply: true,
      })),
    ]);
}

function messageNode(message, context, handlers) {
  const { names } = context;
  const name = message.botName ?? names.user(message.user);
  const isApp = names.isBot(message.user) || message.botName !== undefined;
  const classes = ['message', message.isReply && 'reply', message.ephemeralFor && 'ephemeral'];
  const blocks = message.blocks ?? [];
  const press = (pointed) => handlers.press(message, pointed);
  return h(
    'article',
    {
      class: classes.filter(Boolean).join(' '),
      'data-ts': message.ts,
      'data-channel': message.channel,
      'aria-label': `${name}, ${clock(message.ts)}`,
    },
    avatar(name, isApp ? 'app' : message.user),
    h(
      'div',
      { class: 'content' },
      message.ephemeralFor && h('p', { class: 'only' }, 'Only visible to you'),
      h(
        'header',
        {},
        h('strong', {}, name),
        isApp ? h('span', { class: 'badge' }, 'APP') : undefined,
        h('time', { datetime: new Date(Number(message.ts) * 1_000).toISOString() }, clock(message.ts)),
      ),
      blocks.length > 0
        ? h('div', { class: 'blocks' }, ...blockNodes(blocks, { names, press }))
        : h('div', { class: 'text' }, ...mrkdwn(message.text, names)),
      message.edited ? h('small', { class: 'edited' }, '(edited)') : undefined,
    ),
    message.ephemeralFor ? undefined : tools(message, context, handlers),
  );
}

/** What can be done with a message: seen on hover and when the keyboard gets there. */
function tools(message, { shortcuts }, handlers) {
  const entries = shortcuts.map(({ name, callback }) => ({
    label: name,
    props: { 'data-shortcut': callback },
    run: () => handlers.shortcut(message, callback),
  }));
  if (message.isOwn)
    entries.push(
      { label: 'Edit message', props: { 'data-own': 'edit' }, run: () => handlers.edit(message) },
      { label: 'Delete message…', props: { 'data-own': 'delete' }, run: () => handlers.remove(message) },
    );
  return h(
    'div',
    { class: 'tools', role: 'group', 'aria-label': 'Message actions' },
    h(
      'button',
      { type: 'button', class: 'tool reply-in-thread', onclick: () => handlers.reply(message) },
      'Reply in thread',
    ),
    ...(entries.length > 0 ? menuNodes('More actions', entries) : []),
  );
}

/** Initials on a colour of its own. */
export function avatar(name, id) {
  const initials = name
    .split(/\s+/)
    .map((word) => word.charAt(0))
    .join('')
    .slice(0, 2)
    .toUpperCase();
  const tone = [...id].reduce((sum, letter) => (sum * 8 + letter.codePointAt(0)) % 1_013, 0) % 5;
  const kind = id === 'app' ? 'app' : `tone-${tone}`;
  return h('span', { class: `avatar ${kind}`, 'aria-hidden': 'true' }, initials);
}

const clock = (ts) =>
  new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' }).format(
    new Date(Number(ts) * 1_000),
  );
