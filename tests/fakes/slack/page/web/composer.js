/** The box below the messages: a line for the conversation, an answer in a thread, or a message written anew. */
import { byId } from './dom.js';
import { asTyped } from './mrkdwn.js';

const MOST_ROWS = 8;

/** What the line is about: `{ kind: 'thread' | 'edit', channel, ts, user }`; undefined for the conversation. */
let about;
/** What stood in the box before a message came into it to be edited. */
let before = '';
const drafts = new Map();
const sent = [];

/**
 * Starts it.
 * @param now answers `{ me, place, names }`. @param tell sends a deed; true when it went well. @param notice says what is wrong.
 */
export function startComposer(now, tell, notice) {
  const line = byId('line');
  byId('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    void send(now(), tell, notice);
  });
  line.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      void send(now(), tell, notice);
    } else if (event.key === 'Escape' && about !== undefined) leave(now());
    else if (event.key === 'ArrowUp' && line.value === '' && sent.length > 0) {
      event.preventDefault();
      write(sent.at(-1));
    }
  });
  line.addEventListener('input', resize);
  byId('thread-close').addEventListener('click', () => leave(now()));
}

export function drawComposer({ me, place, names }) {
  const isEdit = about?.kind === 'edit';
  byId('thread').hidden = about === undefined;
  if (about !== undefined)
    byId('thread-text').textContent = isEdit
      ? 'Editing your message'
      : `In the thread of ${names.user(about.user)}’s message`;
  byId('thread-close').textContent = isEdit ? 'Cancel' : 'Leave the thread';
  byId('send').textContent = isEdit ? 'Save' : 'Send';
  byId('line').placeholder =
    place.id === me.dm ? 'A command: task list' : '/signalbox task list, or a message';
}

/** Answers a message in its thread. */
export function reply({ channel, ts, thread_ts: thread, isReply, user }, here) {
  leave(here);
  about = { kind: 'thread', channel, ts: isReply ? thread : ts, user };
  drawComposer(here);
}

/** Takes a message into the box as it was typed. */
export function edit({ channel, ts, text, user }, here) {
  leave(here);
  before = byId('line').value;
  about = { kind: 'edit', channel, ts, user };
  write(asTyped(text, here.names));
  drawComposer(here);
}

/** Leaves the thread or the message that was being edited. */
function leave(here) {
  if (about?.kind === 'edit') write(before);
  about = undefined;
  drawComposer(here);
  byId('line').focus();
}

/** Goes elsewhere: what was begun stays with the place where it was. */
export function moveComposer(from, to, here) {
  if (from === to) return;
  if (about !== undefined) leave(here);
  drafts.set(from, byId('line').value);
  write(drafts.get(to) ?? '');
}

/** Sends the line. It stays in its box until it has arrived. */
async function send(here, tell, notice) {
  const line = byId('line');
  const text = line.value;
  if (text.trim() === '' || line.getAttribute('aria-busy') === 'true') return;
  const isCommand = about?.kind !== 'edit' && /^\/[a-z]/i.test(text.trim());
  if (isCommand && about !== undefined) {
    notice('Slack takes no slash commands in threads.');
    return;
  }
  line.setAttribute('aria-busy', 'true');
  const went = await tell(deedOf(text, isCommand, here));
  line.removeAttribute('aria-busy');
  if (!went) return;
  if (about?.kind === 'edit') {
    leave(here);
    return;
  }
  sent.push(text);
  if (line.value === text) write('');
}

function deedOf(text, isCommand, { me, place }) {
  if (about?.kind === 'edit') return { what: 'edit', as: me.id, channel: about.channel, ts: about.ts, text };
  const deed = { as: me.id, channel: place.id, text };
  return isCommand ? { what: 'command', ...deed } : { what: 'message', ...deed, thread: about?.ts };
}

function write(text) {
  byId('line').value = text;
  resize();
}

function resize() {
  const line = byId('line');
  line.rows = Math.min(MOST_ROWS, line.value.split('\n').length);
}
