import { withHints } from '../../src/core/answer.ts';
import type { Action, Answer, Reply } from '../../src/core/message.ts';
import { cutAt, escaped } from './text.ts';

/** Limits of docs.slack.dev/reference/block-kit, except for the total. */
const SECTION_TEXT = 3_000;
const BUTTON_TEXT = 75;
const BUTTON_VALUE = 2_000;
const ACTION_ID = 255;
const BUTTONS_PER_BLOCK = 5;
const MOST_BUTTONS = 25;
/** Slack refuses somewhere near 13,200 characters of blocks with `msg_blocks_too_long` (bolt-js issue 2509). */
const ALL_BLOCKS = 12_000;
/** What the JSON around at most eight sections and the closing line takes. */
const FRAMES = 1_000;
const FALLBACK_TEXT = 3_000;

interface Text {
  type: 'mrkdwn';
  text: string;
  /** Slack makes no links or mentions of its own out of names in the text. */
  verbatim: true;
}
interface Button {
  type: 'button';
  action_id: string;
  text: { type: 'plain_text'; text: string; emoji: false };
  value: string;
  style?: 'primary' | 'danger';
}
type Block =
  | { type: 'section'; text: Text }
  | { type: 'actions'; elements: Button[] }
  | { type: 'context'; elements: Text[] };

/** What `chat.postMessage`, a slash command's answer and a `response_url` take alike. */
export interface Rendered {
  /** Fallback for notifications and screen readers. */
  text: string;
  blocks: Block[];
}

/** Buttons start with this; the rest is a number and the command, for whoever reads a payload. */
export const ACTION_PREFIX = 'run:';
/** The same of those that open a form. */
export const FORM_PREFIX = 'form:';

/** Any reply as blocks within Slack's limits; what does not fit is said to be missing. */
export function render(reply: Reply): Rendered {
  const actions = [...(reply.actions ?? []), ...(reply.form ? [{ asks: [], ...reply.form }] : [])];
  const buttons = fittingButtons(actions);
  const missing = actions.length - buttons.length;
  const rows = inRows(buttons);
  const text = escaped(reply.text).trim() || '(no text)';
  const note = missing > 0 ? `\n_${missing} of the choices do not fit here; type them as commands._` : '';
  const body = shortened(text, ALL_BLOCKS - FRAMES - JSON.stringify(rows).length) + note;
  return { text: body.slice(0, cutAt(body, FALLBACK_TEXT)), blocks: [...sections(body), ...rows] };
}

/** An answer to an open call: the reply, and for an error what to type instead and what a report of it should name. */
export function renderAnswer(answer: Answer): Rendered {
  const rendered = render(withHints(answer));
  if (answer.error === undefined) return rendered;
  const note = `${escaped(answer.error.code)} · ${escaped(answer.correlationId)}`.slice(0, 300);
  return { ...rendered, blocks: [...rendered.blocks, { type: 'context', elements: [mrkdwn(note)] }] };
}

function shortened(text: string, budget: number): string {
  let end = text.length;
  while (JSON.stringify(text.slice(0, end)).length > budget) end = cutAt(text, Math.floor(end * 0.9));
  if (end === text.length) return text;
  return `${text.slice(0, end)}\n_… shortened: ${text.length - end} more characters. Ask for less, or on another channel._`;
}

function sections(text: string): Block[] {
  const blocks: Block[] = [];
  for (let rest = text; rest.length > 0; ) {
    const end = cutAt(rest, SECTION_TEXT);
    const piece = rest.slice(0, end);
    // Slack refuses a section without visible text.
    if (piece.trim() !== '') blocks.push({ type: 'section', text: mrkdwn(piece) });
    rest = rest.slice(end);
  }
  return blocks;
}

const mrkdwn = (text: string): Text => ({ type: 'mrkdwn', text, verbatim: true });

function fittingButtons(actions: readonly Action[]): Button[] {
  const buttons: Button[] = [];
  let room = ALL_BLOCKS / 2;
  for (const [index, action] of actions.entries()) {
    const button = toButton(action, index);
    const size = JSON.stringify(button).length;
    if (button.value.length > BUTTON_VALUE || size > room || buttons.length === MOST_BUTTONS) continue;
    room -= size;
    buttons.push(button);
  }
  return buttons;
}

function toButton(action: Action, index: number): Button {
  const { command, args } = action.invocation;
  const { asks, label: said } = action;
  const label = said.toWellFormed().trim() || command.trim() || 'Run';
  const prefix = asks === undefined ? ACTION_PREFIX : FORM_PREFIX;
  return {
    type: 'button',
    action_id: `${prefix}${index}:${command}`.slice(0, ACTION_ID).toWellFormed(),
    text: { type: 'plain_text', text: label.slice(0, cutAt(label, BUTTON_TEXT)), emoji: false },
    value: JSON.stringify({ command, args, ...(asks && { asks }) }),
    ...(action.style === undefined ? {} : { style: action.style }),
  };
}

function inRows(buttons: readonly Button[]): Block[] {
  const rows: Block[] = [];
  for (let i = 0; i < buttons.length; i += BUTTONS_PER_BLOCK)
    rows.push({ type: 'actions', elements: buttons.slice(i, i + BUTTONS_PER_BLOCK) });
  return rows;
}
