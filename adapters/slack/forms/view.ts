import type { types } from '@slack/bolt';
import { labelOf, type Form, type FormField, type FormValue } from '../../../src/core/form.ts';
import { clip } from '../../../src/domain/clip.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { cutAt, escaped } from '../rendering/text.ts';

/** Limits of docs.slack.dev/reference/views and /reference/block-kit. */
const TITLE = 24;
const LABEL = 2_000;
const SECTION = 3_000;
const INPUT = 3_000;
const OPTIONS = 100;
const BLOCKS = 100;
const OPTION_TEXT = 75;
const OPTION_VALUE = 150;
const METADATA = 3_000;
const SHOWN = 200;

/** What the views with a form in them are called. */
const FORM = 'form';
/** The views that only say something. */
const NOTICE = 'notice';

type Modal = types.ModalView;
type Block = types.KnownBlock;
type Element = types.InputBlock['element'];
/** `view.state.values`: by block, then by action. */
export type State = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;

/**
 * A modal to fill in, with `memo` to come back with what was filled in. Undefined where Slack would not take it: too
 * much is settled already, or asked for.
 * @param notice what came of it the last time.
 */
export function formView(form: Form, memo: JsonObject, notice?: string): Modal | undefined {
  const metadata = JSON.stringify(memo);
  if (metadata.length > METADATA) return undefined;
  const settled = Object.entries(form.given).map(
    ([name, value]) => `${labelOf(name)}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const blocks: Block[] = [
    ...(notice === undefined ? [] : [section(notice)]),
    ...(settled.length === 0 ? [] : [section(settled.map((line) => clip(line, SHOWN)).join('\n'))]),
    ...form.fields.map(input),
  ];
  if (blocks.length > BLOCKS) return undefined;
  return {
    type: 'modal',
    callback_id: FORM,
    private_metadata: metadata,
    title: plainText(form.title, TITLE),
    submit: plainText(form.submit, TITLE),
    close: plainText('Cancel', TITLE),
    blocks: blocks.length > 0 ? blocks : [section('Nothing more is needed for it.')],
  };
}

/** A modal that says what came of a form, and asks for nothing. */
export const noticeView = (title: string, text: string): Modal => ({
  type: 'modal',
  callback_id: NOTICE,
  title: plainText(title, TITLE),
  close: plainText('Close', TITLE),
  blocks: [section(text)],
});

/** Where an error about an argument stands: the field's own place, or else the first one; undefined without any. */
export function errorsAt({ fields }: Form, name: string | undefined, text: string) {
  const field = fields.find((one) => one.name === name) ?? fields[0];
  return field && { [blockId(field)]: clip(text, SHOWN) };
}

/**
 * Whether the form is still what was filled in: a command may have changed while its view stood open. Otherwise something that
 * was filled in would be lost, or an error would stand at a field that nobody sees. A box that is not ticked may be missing.
 */
export function isOf({ fields }: Form, state: State): boolean {
  const asked = new Set(fields.map(blockId));
  return (
    Object.keys(state).every((block) => asked.has(block)) &&
    fields.every((field) => !field.required || field.type === 'flag' || blockId(field) in state)
  );
}

/** What was filled in, by argument. */
export function valuesIn({ fields }: Form, state: State): Record<string, FormValue | undefined> {
  return Object.fromEntries(fields.map((field) => [field.name, valueIn(state[blockId(field)]?.[ACTION])]));
}

/** The same form with other values in its fields. */
export const refilled = (form: Form, values: Readonly<Record<string, FormValue | undefined>>): Form => ({
  ...form,
  fields: form.fields.map((field) => ({ ...field, initial: values[field.name] })),
});

const ACTION = 'value';
const blockId = ({ name }: FormField): string => `argument:${name}`.slice(0, 255);

function input(field: FormField): types.InputBlock {
  const { label, hint, required, type } = field;
  return {
    type: 'input',
    block_id: blockId(field),
    label: plainText(label, LABEL),
    element: elementOf(field),
    // A box that is not ticked is an answer, too.
    optional: type === 'flag' || !required,
    ...(hint !== '' && { hint: plainText(hint, LABEL) }),
  };
}

function elementOf(field: FormField): Element {
  const { type, initial } = field;
  const text = typeof initial === 'string' && initial !== '' ? initial : undefined;
  switch (type) {
    case 'choice':
    case 'choices':
      return choices(field) ?? textInput(field, false);
    case 'flag':
      return checkbox(initial === true);
    case 'number':
      return numberInput(field, text);
    case 'day':
      return { type: 'datepicker', action_id: ACTION, ...(text !== undefined && { initial_date: text }) };
    case 'instant':
      return { type: 'datetimepicker', action_id: ACTION, ...initialTime(text) };
    default:
      return textInput(field, type !== 'line');
  }
}

function textInput({ initial, maxLength = INPUT }: FormField, multiline: boolean): Element {
  const most = Math.max(1, Math.min(maxLength, INPUT));
  const text = typeof initial === 'string' ? initial.toWellFormed().slice(0, cutAt(initial, most)) : '';
  return {
    type: 'plain_text_input',
    action_id: ACTION,
    multiline,
    max_length: most,
    ...(text !== '' && { initial_value: text }),
  };
}

function numberInput({ minimum, maximum, whole }: FormField, text: string | undefined): Element {
  return {
    type: 'number_input',
    action_id: ACTION,
    is_decimal_allowed: !whole,
    ...(text !== undefined && { initial_value: text }),
    ...(minimum !== undefined && { min_value: String(minimum) }),
    ...(maximum !== undefined && { max_value: String(maximum) }),
  };
}

/** Undefined where Slack cannot list them. */
function choices({ type, choices: all, initial }: FormField): Element | undefined {
  const fits = all.every((value) => value !== '' && value.length <= OPTION_VALUE);
  if (all.length === 0 || all.length > OPTIONS || !fits) return undefined;
  const chosen = [initial ?? []].flat().filter((value) => all.includes(String(value)));
  const options = all.map(option);
  const initials = chosen.map((value) => option(String(value)));
  const [first] = initials;
  if (type === 'choice')
    return { type: 'static_select', action_id: ACTION, options, ...(first && { initial_option: first }) };
  return {
    type: 'multi_static_select',
    action_id: ACTION,
    options,
    ...(first && { initial_options: initials }),
  };
}

function checkbox(isTicked: boolean): Element {
  const options = [{ text: plainText('Yes', OPTION_TEXT), value: 'true' }];
  return { type: 'checkboxes', action_id: ACTION, options, ...(isTicked && { initial_options: options }) };
}

/** Slack takes ten digits of Unix time: 2001 to 2286. */
function initialTime(text: string | undefined): { initial_date_time?: number } {
  const seconds = Math.floor(Date.parse(text ?? '') / 1_000);
  return seconds >= 1e9 && seconds < 1e10 ? { initial_date_time: seconds } : {};
}

const option = (value: string): types.PlainTextOption => ({ text: plainText(value, OPTION_TEXT), value });

/** docs.slack.dev/reference/interaction-payloads/view-interactions-payload, by the element's type. */
function valueIn(element: Readonly<Record<string, unknown>> | undefined): FormValue | undefined {
  if (element === undefined) return undefined;
  switch (element['type']) {
    case 'static_select':
      return chosenIn([element['selected_option']])[0];
    case 'multi_static_select':
      return chosenIn(element['selected_options']);
    case 'checkboxes':
      return chosenIn(element['selected_options']).length > 0;
    case 'datepicker':
      return textIn(element['selected_date']);
    case 'datetimepicker':
      return instantIn(element['selected_date_time']);
    default:
      return textIn(element['value']);
  }
}

const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function chosenIn(options: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(options) ? options : [];
  return list.flatMap((one) =>
    typeof one === 'object' && one !== null && 'value' in one && typeof one.value === 'string'
      ? [one.value]
      : [],
  );
}

function instantIn(seconds: unknown): string | undefined {
  if (typeof seconds !== 'number' || !Number.isSafeInteger(seconds)) return undefined;
  const date = new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function section(text: string): types.SectionBlock {
  const shown = escaped(text).trim() || '(no text)';
  return {
    type: 'section',
    text: { type: 'mrkdwn', text: shown.slice(0, cutAt(shown, SECTION)), verbatim: true },
  };
}

const plainText = (text: string, most: number): types.PlainTextElement => {
  const shown = text.toWellFormed().trim() || '–';
  return { type: 'plain_text', text: shown.slice(0, cutAt(shown, most)), emoji: false };
};
