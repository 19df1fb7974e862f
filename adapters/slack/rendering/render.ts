import { withHints } from '../../../src/core/answer.ts';
import type { Action, Answer, Reply } from '../../../src/core/message.ts';
import { type Block, type Button, context, sections } from './blocks.ts';
import { actionRows, cardParts } from './card.ts';
import { layOut, sizeOf, type Space, textPart } from './parts.ts';
import { cutAt, escaped } from './text.ts';
import { withTimes } from './times.ts';

/** Limits of docs.slack.dev/reference/block-kit. */
const BUTTON_TEXT = 75;
const BUTTON_VALUE = 2_000;
const ACTION_ID = 255;
const MOST_BUTTONS = 25;
const BUTTONS_OF_ITEM = 5;
const CHARACTERS_OF_ITEM_BUTTONS = 3_000;

/** Slack refuses somewhere near 13,200 characters of blocks with `msg_blocks_too_long` (bolt-js issue 2509). */
const MESSAGE: Space = { blocks: 50, characters: 12_000 };
/** Modals and App Home: 250 KB (`view_too_large`), of which a character may take four bytes. */
export const VIEW: Space = { blocks: 100, characters: 50_000 };
/** The closing lines: what choices are missing, and what a report of an error should name. */
const CLOSING: Space = { blocks: 2, characters: 1_000 };
const FALLBACK_TEXT = 3_000;

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

/** Any reply as blocks within the limits of where it is shown; what does not fit is said to be missing. */
export function render(reply: Reply, space: Space = MESSAGE): Rendered {
  const actions = [...(reply.actions ?? []), ...(reply.form ? [{ asks: [], ...reply.form }] : [])];
  const buttons = fittingButtons(actions, 0, { most: MOST_BUTTONS, room: space.characters / 2 });
  const rows = actionRows(buttons);
  let missing = actions.length - buttons.length;
  let index = actions.length;
  const buttonsOf = (its: readonly Action[]): Button[] => {
    const some = fittingButtons(its, index, { most: BUTTONS_OF_ITEM, room: CHARACTERS_OF_ITEM_BUTTONS });
    index += its.length;
    missing += its.length - some.length;
    return some;
  };
  const text = escaped(reply.text).trim() || '(no text)';
  const said = textPart(withTimes(text), sections);
  const parts = reply.card ? cardParts(reply.card, buttonsOf) : [];
  const body = layOut(parts.length === 0 ? [said] : parts, left(space, sizeOf(rows)));
  const note = missing > 0 ? `_${missing} of the choices do not fit here; type them as commands._` : '';
  const fallback = note === '' ? text : `${text}\n${note}`;
  return {
    text: fallback.slice(0, cutAt(fallback, FALLBACK_TEXT)),
    blocks: [...body, ...(note === '' ? [] : [context(note)]), ...rows],
  };
}

const left = ({ blocks, characters }: Space, rows: Space): Space => ({
  blocks: blocks - rows.blocks - CLOSING.blocks,
  characters: characters - rows.characters - CLOSING.characters,
});

/** An answer to an open call: the reply, and for an error what to type instead and what a report of it should name. */
export function renderAnswer(answer: Answer): Rendered {
  const rendered = render(withHints(answer));
  if (answer.error === undefined) return rendered;
  const note = `${escaped(answer.error.code)} · ${escaped(answer.correlationId)}`.slice(0, 300);
  return { ...rendered, blocks: [...rendered.blocks, context(note)] };
}

/** `from`: how many actions of the same message come before these. */
function fittingButtons(
  actions: readonly Action[],
  from: number,
  { most, room }: { most: number; room: number },
): Button[] {
  const buttons: Button[] = [];
  let free = room;
  for (const [index, action] of actions.entries()) {
    const button = toButton(action, from + index);
    const size = JSON.stringify(button).length;
    if (button.value.length > BUTTON_VALUE || size > free || buttons.length === most) continue;
    free -= size;
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
