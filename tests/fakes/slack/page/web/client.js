/** The page: who I am, where I am, what I type. What is true stands in the fake; this draws it and sends deeds. */
import { blockNodes, confirmed } from './blocks.js';
import { drawComposer, edit, moveComposer, reply, startComposer } from './composer.js';
import { act, byId, h, keyed } from './dom.js';
import { drawDrawer, startDrawer } from './drawer.js';
import { drawModal, leaveOnEscape } from './modal.js';
import { tick } from './mrkdwn.js';
import { drawSidebar } from './sidebar.js';
import { drawMessages } from './timeline.js';

/** How often the page looks whether the app is there, and rewrites times, in milliseconds. */
const LOOK = 5_000;

let state;
let page;
let me;
let place;
const seen = new Map();

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
    ...(page.hasHome
      ? [
          {
            id: 'home',
            key: 'home',
            sign: '⌂',
            name: 'Home',
            topic: `What Signalbox shows to ${me.name} alone`,
          },
        ]
      : []),
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
  place = places().find(({ key }) => key === where) ?? places()[0];
}

const goTo = (person, key) => {
  location.hash = `/${named(person)}/${key}`;
};

function draw() {
  const at = messagesAt(place.id);
  if (!document.hidden && at.length > 0)
    seen.set(`${me.id}/${place.id}`, Math.max(...at.map(({ ts }) => Number(ts))));
  drawSidebar(
    {
      page,
      people: page.people.map((person) => ({ ...person, isMe: person.id === me.id })),
      places: places().map((one) => ({ ...one, isHere: one.id === place.id, unread: unreadAt(one.id) })),
    },
    { be: (person) => goTo(person, place.key), go },
  );
  byId('title').textContent = place.sign === '#' ? `#${place.name}` : place.name;
  byId('topic').textContent = place.topic;
  document.title = `${byId('title').textContent} · ${me.name} · Slack, without Slack`;
  const isHome = place.id === 'home';
  byId('home').hidden = !isHome;
  byId('messages').hidden = isHome;
  byId('composer').hidden = isHome;
  const { shortcuts, people: users, channels } = page;
  const context = { names, shortcuts, users, channels, me: me.id };
  if (isHome) drawHome(context);
  else drawMessages(at, context, messageHandlers);
  byId('messages').classList.toggle('none', at.length === 0);
  drawComposer(here());
  drawModal(state.modals[me.id]?.at(-1), state.modalErrors[me.id], context, modalHandlers);
  drawDrawer(page);
}

const here = () => ({ me, place, names });

/** Another place, or Home once more: that opens it anew. */
function go(one) {
  if (one.id === 'home' && place.id === 'home') void openHome();
  else goTo(me, one.key);
}

function drawHome({ names: known }) {
  const { blocks } = state.homes[me.id] ?? {};
  const press = (pointed) => tell({ what: 'click', as: me.id, on: 'home', ...pointed });
  keyed(
    byId('home'),
    blocks === undefined ? [] : [{ who: me.id, blocks }],
    ({ who }) => who,
    () => h('div', { class: 'blocks' }, ...blockNodes(blocks, { names: known, press })),
  );
  byId('home').classList.toggle('none', blocks === undefined);
}

const spot = ({ channel, ts }) => ({ channel, ts });

const messageHandlers = {
  press: (message, pointed) => tell({ what: 'click', as: me.id, on: spot(message), ...pointed }),
  shortcut: (message, callback) => tell({ what: 'shortcut', as: me.id, ...spot(message), callback }),
  reply: (message) => reply(message, here()),
  edit: (message) => edit(message, here()),
  remove: async (message) => {
    const text = 'It is gone for everybody.';
    const dialog = {
      title: 'Delete this message?',
      text,
      confirm: 'Delete',
      deny: 'Cancel',
      style: 'danger',
    };
    if (await confirmed(dialog, names)) await tell({ what: 'delete', as: me.id, ...spot(message) });
  },
};

const openHome = () => tell({ what: 'home', as: me.id });

const modalHandlers = {
  submit: async (values) => (await act({ what: 'submit', as: me.id, values })).error,
  press: async (pointed, values) =>
    (await act({ what: 'click', as: me.id, on: 'modal', ...pointed, values })).error,
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

/** Another person or place. */
function onAddress() {
  const key = () => `${me.id}/${place.id}`;
  const before = key();
  const left = here();
  readAddress();
  moveComposer(before, key(), left);
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
  startComposer(here, tell, notice);
  byId('notice-close').addEventListener('click', () => notice(undefined));
  byId('line').focus();
}

startDrawer();
leaveOnEscape(modalHandlers);
new EventSource('/ui/changes').addEventListener('changed', () => void look());
setInterval(() => {
  tick();
  if (!document.hidden) void look();
}, LOOK);
