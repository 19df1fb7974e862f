/** The page: who I am, where I am, what I type. What is true stands in the fake; this draws it and sends deeds. */
import { blockNodes } from './blocks.js';
import { act, byId, h, keyed } from './dom.js';
import { drawDrawer, startDrawer } from './drawer.js';
import { drawModal, leaveOnEscape } from './modal.js';
import { tick } from './mrkdwn.js';
import { avatar, drawMessages } from './timeline.js';

/** How often the page looks whether the app is there, and rewrites times, in milliseconds. */
const LOOK = 5_000;

let state;
let page;
let me;
let place;
let thread;
const drafts = new Map();
const seen = new Map();
const sent = [];

const named = (one) => one.name.toLowerCase();

const names = {
  user: (id) =>
    id === page.botUser
      ? 'Signalbox'
      : ([...page.people, ...state.users].find((user) => user.id === id)?.name ?? id),
  channel: (id, label) =>
    [...page.channels, ...state.channels].find((channel) => channel.id === id)?.name || label || id,
  isBot: (id) => id === page.botUser || state.users.some((user) => user.id === id && user.isBot),
};

/** Where one can be: channels, other channels the app wrote to, the direct message, App Home. */
function places() {
  const own = page.channels.map(({ id, name }) => ({
    id,
    key: name,
    sign: '#',
    name,
    topic: 'A public channel',
  }));
  const known = new Set(own.map(({ id }) => id));
  const others = state.channels
    .filter(({ id, kind }) => kind === 'channel' && !known.has(id))
    .map(({ id, name }) => ({ id, key: id, sign: '#', name: name || id, topic: 'A channel' }));
  const topic = 'Direct messages: every line is a command';
  return [
    ...own,
    ...others,
    { id: me.dm, key: 'signalbox', sign: '●', name: 'Signalbox', topic },
    { id: 'home', key: 'home', sign: '⌂', name: 'Home', topic: `What Signalbox shows to ${me.name} alone` },
  ];
}

const messagesAt = (id) =>
  state.messages.filter(
    ({ channel, ephemeralFor }) => channel === id && (!ephemeralFor || ephemeralFor === me.id),
  );

const unreadAt = (id) =>
  id === 'home'
    ? 0
    : messagesAt(id).filter(
        ({ ts, user }) => user !== me.id && Number(ts) > (seen.get(`${me.id}/${id}`) ?? 0),
      ).length;

/** `#/ana/general`: the address says who and where, so that a reload and a link stay there. */
function readAddress() {
  const [, who, where] = location.hash.split('/');
  me = page.people.find((person) => named(person) === who) ?? page.people[0];
  const before = place?.id;
  place = places().find(({ key }) => key === where) ?? places()[0];
  if (before !== place.id) thread = undefined;
}

const goTo = (person, key) => {
  location.hash = `/${named(person)}/${key}`;
};

function draw() {
  const at = messagesAt(place.id);
  if (!document.hidden && at.length > 0)
    seen.set(`${me.id}/${place.id}`, Math.max(...at.map(({ ts }) => Number(ts))));
  drawSidebar();
  byId('title').textContent = place.sign === '#' ? `#${place.name}` : place.name;
  byId('topic').textContent = place.topic;
  document.title = `${byId('title').textContent} · ${me.name} · Slack, without Slack`;
  const isHome = place.id === 'home';
  byId('home').hidden = !isHome;
  byId('messages').hidden = isHome;
  byId('composer').hidden = isHome;
  const context = { names, shortcuts: page.shortcuts, users: page.people };
  if (isHome) drawHome(context);
  else drawMessages(at, context, { press, reply, shortcut });
  byId('messages').classList.toggle('none', at.length === 0);
  drawComposer();
  drawModal(state.modals[me.id]?.at(-1), state.modalErrors[me.id], context, modalHandlers);
  drawDrawer(page);
}

function drawSidebar() {
  const people = page.people.map((person) => ({ ...person, isMe: person.id === me.id }));
  keyed(byId('people'), people, ({ id }) => id, personButton);
  const all = places().map((one) => ({ ...one, isHere: one.id === place.id, unread: unreadAt(one.id) }));
  keyed(byId('places'), all, ({ key }) => key, placeItem);
  const link = byId('link');
  link.className = page.isReachable ? 'good' : 'bad';
  const { host } = new URL(page.target);
  const where = page.mode === 'socket' ? 'is connected by Socket Mode' : `is at ${host}`;
  link.textContent = page.isReachable ? `Signalbox ${where}` : `Signalbox cannot be reached at ${host}`;
}

const personButton = (person) =>
  h(
    'button',
    {
      type: 'button',
      class: 'person',
      'data-person': person.id,
      'aria-pressed': String(person.isMe),
      onclick: () => goTo(person, place.key),
    },
    avatar(person.name, person.id),
    h('span', {}, person.name),
    person.isRestricted ? h('small', {}, 'guest') : undefined,
  );

const placeItem = (one) =>
  h(
    'li',
    {},
    h(
      'button',
      {
        type: 'button',
        class: 'place',
        'data-place': one.key,
        'aria-current': one.isHere && 'page',
        onclick: () => (one.isHere && one.id === 'home' ? void openHome() : goTo(me, one.key)),
      },
      h('span', { class: 'sign', 'aria-hidden': 'true' }, one.sign),
      h('span', { class: 'name' }, one.name),
      one.unread > 0
        ? h('span', { class: 'count', 'aria-label': `${one.unread} unread` }, String(one.unread))
        : undefined,
    ),
  );

function drawHome({ names: known }) {
  const view = state.homes[me.id];
  const press = ({ action_id: action }) => tell({ what: 'click', as: me.id, on: 'home', action });
  const shown = view === undefined ? [] : [{ who: me.id, view }];
  keyed(
    byId('home'),
    shown,
    ({ who }) => who,
    () => h('div', { class: 'blocks' }, ...blockNodes(view.blocks ?? [], { names: known, press })),
  );
  byId('home').classList.toggle('none', shown.length === 0);
}

function drawComposer() {
  byId('thread').hidden = thread === undefined;
  if (thread !== undefined)
    byId('thread-text').textContent = `In the thread of ${names.user(thread.user)}’s message`;
  const placeholder = place.id === me.dm ? 'A command: task list' : '/signalbox task list, or a message';
  byId('line').placeholder = placeholder;
}

const press = (message, { action_id: action }) =>
  tell({ what: 'click', as: me.id, on: { channel: message.channel, ts: message.ts }, action });

function shortcut({ channel, ts }, callback) {
  return tell({ what: 'shortcut', as: me.id, channel, ts, callback });
}

function reply(message) {
  thread = { ts: message.isReply ? message.thread_ts : message.ts, user: message.user };
  drawComposer();
  byId('line').focus();
}

const openHome = () => tell({ what: 'home', as: me.id });

const modalHandlers = {
  submit: async (values) => (await act({ what: 'submit', as: me.id, values })).error,
  close: async () => (await act({ what: 'close', as: me.id })).error,
};

/** Sends a deed; what went wrong is said above the messages. */
async function tell(deed) {
  const answer = await act(deed);
  notice(answer.ok ? undefined : answer.error);
  return answer.ok;
}

function notice(text) {
  byId('notice').hidden = text === undefined;
  byId('notice-text').textContent = text ?? '';
}

/** Sends the line. It stays in its box until it has arrived. */
async function send() {
  const line = byId('line');
  const text = line.value;
  if (text.trim() === '' || line.getAttribute('aria-busy') === 'true') return;
  const isCommand = /^\/[a-z]/i.test(text.trim());
  if (isCommand && thread !== undefined) {
    notice('Slack takes no slash commands in threads.');
    return;
  }
  const deed = { as: me.id, channel: place.id, text };
  line.setAttribute('aria-busy', 'true');
  const went = await tell(
    isCommand ? { what: 'command', ...deed } : { what: 'message', ...deed, thread: thread?.ts },
  );
  line.removeAttribute('aria-busy');
  if (!went) return;
  sent.push(text);
  if (line.value === text) line.value = '';
  resize();
}

function resize() {
  const line = byId('line');
  line.rows = Math.min(8, line.value.split('\n').length);
}

function onKey(event) {
  if (event.isComposing) return;
  const line = byId('line');
  if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    void send();
  } else if (event.key === 'ArrowUp' && line.value === '' && sent.length > 0) {
    event.preventDefault();
    line.value = sent.at(-1);
    resize();
  }
}

/** Another person or place: the line that was begun stays with the place where it was. */
function onAddress() {
  const key = () => `${me.id}/${place.id}`;
  drafts.set(key(), byId('line').value);
  readAddress();
  byId('line').value = drafts.get(key()) ?? '';
  resize();
  notice(undefined);
  draw();
  byId('messages').scrollTop = byId('messages').scrollHeight;
  if (place.id === 'home') void openHome();
  else byId('line').focus();
}

let looking = false;
let again = false;

/** Fetches what is true now and draws it; calls during a fetch become one more. */
async function look() {
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  again = false;
  try {
    const [nextState, nextPage] = await Promise.all(
      ['/ui/state', '/ui/page'].map(async (path) => (await fetch(path)).json()),
    );
    const isFirst = state === undefined;
    state = nextState;
    page = nextPage;
    if (isFirst) start();
    else draw();
  } catch {
    notice('The fake Slack itself does not answer: is `npm run fake:slack` still running?');
  }
  looking = false;
  if (again) await look();
}

function start() {
  readAddress();
  draw();
  byId('messages').scrollTop = byId('messages').scrollHeight;
  if (place.id === 'home') void openHome();
  addEventListener('hashchange', onAddress);
  byId('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    void send();
  });
  byId('line').addEventListener('keydown', onKey);
  byId('line').addEventListener('input', resize);
  byId('notice-close').addEventListener('click', () => notice(undefined));
  byId('thread-close').addEventListener('click', () => {
    thread = undefined;
    drawComposer();
  });
  byId('line').focus();
}

startDrawer();
leaveOnEscape(modalHandlers);
new EventSource('/ui/changes').addEventListener('changed', () => void look());
setInterval(() => {
  tick();
  if (!document.hidden) void look();
}, LOOK);
