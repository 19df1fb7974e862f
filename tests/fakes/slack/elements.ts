import { checkConfirm, checkPlain, checkStyle, type Fields, isFields, isText, only } from './text-objects.ts';

/** What people click, type and choose (docs.slack.dev/reference/block-kit/block-elements), with its limits. */
const LIMITS = {
  button: 75,
  buttonValue: 2_000,
  actionId: 255,
  placeholder: 150,
  options: 100,
  boxes: 10,
  overflow: 5,
  optionText: 75,
  optionValue: 150,
  input: 3_000,
} as const;

type Check = (element: Fields) => string[];

/** Where an element stands. */
type Place = 'actions' | 'accessory' | 'input';

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  button: ['text', 'value', 'style', 'url', 'confirm', 'accessibility_label'],
  overflow: ['options', 'confirm'],
  static_select: ['options', 'initial_option', 'confirm', 'placeholder', 'focus_on_load'],
  multi_static_select: [
    'options',
    'initial_options',
    'max_selected_items',
    'confirm',
    'placeholder',
    'focus_on_load',
  ],
  plain_text_input: [
    'initial_value',
    'multiline',
    'min_length',
    'max_length',
    'placeholder',
    'focus_on_load',
    'dispatch_action_config',
  ],
  number_input: [
    'is_decimal_allowed',
    'initial_value',
    'min_value',
    'max_value',
    'placeholder',
    'focus_on_load',
    'dispatch_action_config',
  ],
  checkboxes: ['options', 'initial_options', 'confirm', 'focus_on_load'],
  radio_buttons: ['options', 'initial_option', 'confirm', 'focus_on_load'],
  datepicker: ['initial_date', 'confirm', 'placeholder', 'focus_on_load'],
  datetimepicker: ['initial_date_time', 'confirm', 'focus_on_load'],
  users_select: ['initial_user', 'confirm', 'placeholder', 'focus_on_load'],
  multi_users_select: ['initial_users', 'max_selected_items', 'confirm', 'placeholder', 'focus_on_load'],
  conversations_select: [
    'initial_conversation',
    'default_to_current_conversation',
    'filter',
    'confirm',
    'placeholder',
    'focus_on_load',
  ],
};

const CHECKS: Readonly<Record<string, Check>> = {
  button: checkButton,
  overflow: (element) => checkOptions(element['options'], LIMITS.overflow),
  static_select: (element) => [
    ...checkOptions(element['options'], LIMITS.options),
    ...checkInitial(element['options'], element['initial_option']),
  ],
  multi_static_select: (element) => [
    ...checkOptions(element['options'], LIMITS.options),
    ...checkInitials(element['options'], element['initial_options']),
  ],
  checkboxes: (element) => [
    ...checkOptions(element['options'], LIMITS.boxes),
    ...checkInitials(element['options'], element['initial_options']),
  ],
  radio_buttons: (element) => [
    ...checkOptions(element['options'], LIMITS.boxes),
    ...checkInitial(element['options'], element['initial_option']),
  ],
  plain_text_input: checkTextInput,
  number_input: checkNumberInput,
  datepicker: ({ initial_date: date }) =>
    date === undefined || isDate(date) ? [] : ['initial_date is no YYYY-MM-DD'],
  datetimepicker: ({ initial_date_time: time }) =>
    time === undefined || isUnixTime(time) ? [] : ['initial_date_time is no Unix time of ten digits'],
  users_select: ({ initial_user: user }) =>
    user === undefined || isUser(user) ? [] : ['initial_user is no user id'],
  multi_users_select: ({ initial_users: users }) =>
    users === undefined || (Array.isArray(users) && users.length > 0 && users.every(isUser))
      ? []
      : ['initial_users are no user ids'],
  conversations_select: ({ initial_conversation: id }) =>
    id === undefined || isConversation(id) ? [] : ['initial_conversation is no id of a conversation'],
};

const CLICKABLE = ['button', 'overflow', 'static_select'];

const BY_PLACE: Readonly<Record<Place, readonly string[]>> = {
  actions: CLICKABLE,
  accessory: CLICKABLE,
  input: Object.keys(CHECKS).filter((type) => type !== 'button' && type !== 'overflow'),
};

/** Everything wrong with an element; its action_id is added to `ids`. */
export function checkElement(element: unknown, place: Place, ids: unknown[]): string[] {
  if (!isFields(element)) return ['has an element that is no object'];
  const type = String(element['type']);
  const check = CHECKS[type];
  if (check === undefined || !BY_PLACE[place].includes(type))
    return [`has an element of the type ${type}, which cannot stand there`];
  ids.push(element['action_id']);
  const errors = only(element, ['type', 'action_id', ...(FIELDS[type] ?? [])]);
  if (!isText(element['action_id'], LIMITS.actionId)) errors.push('action_id is empty or too long');
  if (element['placeholder'] !== undefined)
    errors.push(...checkPlain(element['placeholder'], LIMITS.placeholder, 'placeholder'));
  return [...errors, ...checkConfirm(element['confirm']), ...check(element)];
}

function checkButton(button: Fields): string[] {
  const errors = [];
  if (button['value'] !== undefined && !isText(button['value'], LIMITS.buttonValue))
    errors.push('value is empty or too long');
  if (button['url'] !== undefined && !isText(button['url'], 3_000)) errors.push('url is empty or too long');
  return [
    ...errors,
    ...checkStyle(button['style']),
    ...checkPlain(button['text'], LIMITS.button, 'button text'),
  ];
}

function checkTextInput(input: Fields): string[] {
  const { min_length: min, max_length: max, initial_value: value, multiline } = input;
  const errors = [];
  if (min !== undefined && !isWhole(min, 0, LIMITS.input)) errors.push('min_length is not 0 to 3000');
  if (max !== undefined && !isWhole(max, 1, LIMITS.input)) errors.push('max_length is not 1 to 3000');
  if (typeof min === 'number' && typeof max === 'number' && min > max)
    errors.push('min_length is beyond max_length');
  if (
    value !== undefined &&
    (typeof value !== 'string' || value.length > (max === undefined ? LIMITS.input : Number(max)))
  )
    errors.push('initial_value is no text or too long');
  if (multiline !== undefined && typeof multiline !== 'boolean') errors.push('multiline is no boolean');
  return errors;
}

function checkNumberInput(input: Fields): string[] {
  const errors = [];
  if (typeof input['is_decimal_allowed'] !== 'boolean') errors.push('is_decimal_allowed is missing');
  for (const name of ['initial_value', 'min_value', 'max_value'])
    if (input[name] !== undefined && (typeof input[name] !== 'string' || !isNumber(input[name])))
      errors.push(`${name} is no number in text`);
  return errors;
}

/** docs.slack.dev/reference/block-kit/composition-objects/option-object */
function checkOptions(options: unknown, most: number): string[] {
  if (!Array.isArray(options) || options.length === 0 || options.length > most)
    return [`options are none or more than ${most}`];
  const errors = options.flatMap((option: unknown) => {
    if (!isFields(option)) return ['has an option that is no object'];
    const wrong = only(option, ['text', 'value', 'description', 'url']);
    wrong.push(...checkPlain(option['text'], LIMITS.optionText, 'option text'));
    if (!isText(option['value'], LIMITS.optionValue)) wrong.push('option value is empty or too long');
    if (option['description'] !== undefined)
      wrong.push(...checkPlain(option['description'], LIMITS.optionText, 'option description'));
    return wrong;
  });
  const values = options.map((option: unknown) => (isFields(option) ? option['value'] : undefined));
  if (new Set(values).size !== values.length) errors.push('option values are not unique');
  return errors;
}

function checkInitial(options: unknown, initial: unknown): string[] {
  if (initial === undefined) return [];
  const all: unknown[] = Array.isArray(options) ? options : [];
  return all.some((option) => JSON.stringify(option) === JSON.stringify(initial))
    ? []
    : ['initial option is none of the options'];
}

function checkInitials(options: unknown, initials: unknown): string[] {
  if (initials === undefined) return [];
  if (!Array.isArray(initials) || initials.length === 0) return ['initial_options are no list, or empty'];
  return initials.flatMap((initial) => checkInitial(options, initial));
}

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most;

/** A number as people type it: digits, a sign, a decimal point. */
export const isNumber = (text: string): boolean => /^-?\d+(?:\.\d+)?$/.test(text);

export const isDate = (value: unknown): value is string =>
  typeof value === 'string' &&
  /^\d{4}-\d{2}-\d{2}$/.test(value) &&
  !Number.isNaN(Date.parse(`${value}T00:00:00Z`));

export const isUnixTime = (value: unknown): boolean => /^\d{10}$/.test(String(value));

export const isUser = (value: unknown): boolean => typeof value === 'string' && /^[UW][A-Z0-9]+$/.test(value);

export const isConversation = (value: unknown): boolean =>
  typeof value === 'string' && /^[CGD][A-Z0-9]+$/.test(value);
