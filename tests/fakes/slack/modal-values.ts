import { isConversation, isDate, isNumber, isUnixTime, isUser } from './elements.ts';
import { isFields, type Fields } from './text-objects.ts';

/** What a person typed and chose, by block_id, label or action_id of the input. */
export type ModalValues = Readonly<Record<string, string | readonly string[]>>;

/** `view.state` (docs.slack.dev/reference/interaction-payloads/view-interactions-payload). */
export interface ViewState {
  readonly values: Readonly<Record<string, Readonly<Record<string, Fields>>>>;
}

interface Input {
  readonly block: string;
  readonly label: string;
  readonly isOptional: boolean;
  readonly action: string;
  readonly element: Fields;
}

/** Ids of the blocks that ask for input: those under which an error may stand. */
export const inputBlocks = (blocks: readonly unknown[]): string[] =>
  inputsOf(blocks).map(({ block }) => block);

/**
 * The state of a view whose inputs were filled so; what is not named keeps its initial value.
 * @throws Error where Slack would not let a person submit it: the value does not fit, or is missing.
 */
export function filled(blocks: readonly unknown[], values: ModalValues): ViewState {
  return stateOf(blocks, values, true);
}

/** The same while it is being filled: nothing is required yet. */
export function drafted(blocks: readonly unknown[], values: ModalValues): ViewState {
  return stateOf(blocks, values, false);
}

function stateOf(blocks: readonly unknown[], values: ModalValues, isWhole: boolean): ViewState {
  const inputs = inputsOf(blocks);
  const state: Record<string, Record<string, Fields>> = {};
  const unused = new Set(Object.keys(values));
  for (const input of inputs) {
    const key = [input.block, input.label, input.action].find((name) => values[name] !== undefined);
    if (key !== undefined) unused.delete(key);
    const typed = key === undefined ? initial(input.element) : values[key];
    state[input.block] = {
      [input.action]: { type: input.element['type'], ...read(input, [typed ?? []].flat(), isWhole) },
    };
  }
  if (unused.size > 0)
    throw new Error(
      `No input ${[...unused].map((name) => `"${name}"`).join(', ')}; there are: ${inputs.map(({ label }) => label).join(', ') || 'none'}`,
    );
  return { values: state };
}

function inputsOf(blocks: readonly unknown[]): Input[] {
  return blocks.flatMap((block) => {
    if (!isFields(block) || block['type'] !== 'input' || !isFields(block['element'])) return [];
    const { element, label, optional } = block;
    return {
      block: String(block['block_id']),
      label: isFields(label) ? String(label['text']) : '',
      isOptional: optional === true,
      action: String(element['action_id']),
      element,
    };
  });
}

const INITIALS = [
  'initial_value',
  'initial_date',
  'initial_date_time',
  'initial_user',
  'initial_conversation',
] as const;

/** What stands in an element before anybody touches it. */
function initial(element: Fields): string[] {
  const users = element['initial_users'];
  if (Array.isArray(users)) return users.map(String);
  for (const name of INITIALS) {
    const value = element[name];
    if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  }
  return [element['initial_option'], element['initial_options']]
    .flat()
    .flatMap((option) => (isFields(option) ? [String(option['value'])] : []));
}

type Reader = (input: Input, values: readonly string[]) => Fields;

const READERS: Readonly<Record<string, Reader>> = {
  plain_text_input: (input, values) => ({ value: text(input, values) }),
  number_input: (input, values) => ({ value: number(input, values) }),
  static_select: (input, values) => ({ selected_option: single(options(input, values)) }),
  radio_buttons: (input, values) => ({ selected_option: single(options(input, values)) }),
  multi_static_select: (input, values) => ({ selected_options: options(input, values) }),
  checkboxes: (input, values) => ({ selected_options: options(input, values) }),
  datepicker: (input, values) => ({ selected_date: checked(input, values, isDate) }),
  datetimepicker: (input, values) => {
    const time = checked(input, values, isUnixTime);
    return { selected_date_time: time === null ? null : Number(time) };
  },
  users_select: (input, values) => ({ selected_user: checked(input, values, isUser) }),
  multi_users_select: (input, values) => ({
    selected_users: values.map((value) => checked(input, [value], isUser)),
  }),
  conversations_select: (input, values) => ({
    selected_conversation: checked(input, values, isConversation),
  }),
};

function read(input: Input, typed: readonly string[], isWhole: boolean): Fields {
  const values = typed.filter((value) => value !== '');
  if (isWhole && values.length === 0 && !input.isOptional)
    throw new Error(`${input.label}: a value is required`);
  const reader = READERS[String(input.element['type'])];
  if (reader === undefined)
    throw new Error(`${input.label}: nobody can fill a ${String(input.element['type'])}`);
  return reader(input, values);
}

function text({ label, element }: Input, [value]: readonly string[]): string | null {
  if (value === undefined) return null;
  const { min_length: min = 0, max_length: max = 3_000, multiline } = element;
  if (value.length < Number(min) || value.length > Number(max))
    throw new Error(`${label}: ${value.length} characters are not between ${String(min)} and ${String(max)}`);
  if (multiline !== true && value.includes('\n')) throw new Error(`${label}: has a single line`);
  return value;
}

function number({ label, element }: Input, [value]: readonly string[]): string | null {
  if (value === undefined) return null;
  const { min_value: min = -Infinity, max_value: max = Infinity, is_decimal_allowed: decimal } = element;
  if (!isNumber(value) || (decimal !== true && !Number.isInteger(Number(value))))
    throw new Error(`${label}: "${value}" is no such number`);
  if (Number(value) < Number(min) || Number(value) > Number(max))
    throw new Error(`${label}: ${value} is not between ${String(min)} and ${String(max)}`);
  return value;
}

function checked(
  { label }: Input,
  [value]: readonly string[],
  fits: (value: string) => boolean,
): string | null {
  if (value === undefined) return null;
  if (!fits(value)) throw new Error(`${label}: "${value}" does not fit`);
  return value;
}

function options({ label, element }: Input, values: readonly string[]): Fields[] {
  const all = (element['options'] as Fields[]) ?? [];
  const most = element['max_selected_items'];
  if (typeof most === 'number' && values.length > most) throw new Error(`${label}: ${most} at most`);
  return values.map((value) => {
    const found = all.find((option) => option['value'] === value || labelOf(option) === value);
    if (found === undefined)
      throw new Error(`${label}: no option "${value}"; there are: ${all.map(labelOf).join(', ')}`);
    return found;
  });
}

const labelOf = (option: Fields): string => (isFields(option['text']) ? String(option['text']['text']) : '');

const single = ([first]: readonly Fields[]): Fields | null => first ?? null;
