/** A modal as an overlay, with its input elements (docs.slack.dev/surfaces/modals). */
import { blockNodes, textNodes } from './blocks.js';
import { byId, h } from './dom.js';

let shown;
let shownId;
/** What is chosen by ticking. */
const GROUPS = ['checkboxes', 'radio_buttons', 'multi_static_select', 'multi_users_select'];
/** What the page itself found wrong at the last attempt to submit. */
let faults = {};

/**
 * Shows a view, or none. What was typed stays while the view is the same.
 * @param handlers `submit(values)`, `press(pointed, values)` and `close()`, which answer an error in words or undefined.
 */
export function drawModal(view, errors, context, handlers) {
  const overlay = byId('modal');
  if (view === undefined) {
    shown = undefined;
    if (overlay.open) overlay.close();
    return;
  }
  const source = JSON.stringify([view.id, view.hash, view.blocks, view.title]);
  if (source !== shown) {
    shown = source;
    faults = {};
    const typed = view.id === shownId ? typedIn(overlay) : new Map();
    shownId = view.id;
    overlay.replaceChildren(form(view, context, handlers));
    restore(overlay, typed);
    // What is filled in first has the focus, not the × before it.
    overlay.querySelector('.field :is(input, textarea, select)')?.setAttribute('autofocus', '');
  }
  if (!overlay.open) overlay.showModal();
  mark(overlay, { ...errors, ...faults });
}

function form(view, context, handlers) {
  const { names } = context;
  const close = h(
    'button',
    { type: 'button', class: 'close', 'aria-label': 'Close', onclick: () => void leave(handlers) },
    '×',
  );
  return h(
    'form',
    {
      novalidate: true,
      'data-callback': view.callback_id,
      onsubmit: (event) => {
        event.preventDefault();
        void submit(event.currentTarget, view, handlers);
      },
    },
    h('header', {}, h('h2', { id: 'modal-title' }, ...textNodes(view.title, names)), close),
    h('p', { id: 'modal-notice', role: 'alert', hidden: true }),
    h(
      'div',
      { class: 'inputs' },
      ...blockNodes(view.blocks ?? [], {
        names,
        press: async (pointed) => say(await handlers.press(pointed, allValues(byId('modal'), view))),
        input: (block) => field(block, context),
      }),
    ),
    h(
      'footer',
      {},
      h(
        'button',
        { type: 'button', class: 'button', onclick: () => void leave(handlers) },
        ...textNodes(view.close ?? 'Cancel', names),
      ),
      view.submit &&
        h('button', { type: 'submit', class: 'button primary' }, ...textNodes(view.submit, names)),
    ),
  );
}

/** Escape closes as the × does; the browser alone would leave the view open in the fake. */
export function leaveOnEscape(handlers) {
  byId('modal').addEventListener('cancel', (event) => {
    event.preventDefault();
    void leave(handlers);
  });
}

const leave = async (handlers) => say(await handlers.close());

async function submit(element, view, handlers) {
  const values = allValues(element, view);
  faults = {};
  for (const block of inputsOf(view)) {
    const error = fault(block, values[keyOf(block)]);
    if (error !== undefined) faults[keyOf(block)] = error;
  }
  mark(byId('modal'), faults);
  if (Object.keys(faults).length > 0) return;
  const button = element.querySelector('button[type=submit]');
  button.disabled = true;
  say(await handlers.submit(values));
  button.disabled = false;
}

/** What Slack itself says before it sends anything. */
function fault(block, value) {
  const { element } = block;
  if (value.length === 0) return block.optional ? undefined : 'Please complete this required field.';
  if (element.type === 'number_input') {
    const number = Number(value);
    if (!Number.isFinite(number) || (element.is_decimal_allowed === false && !Number.isInteger(number)))
      return 'Please enter a number.';
    if (element.min_value !== undefined && number < Number(element.min_value))
      return `Please enter ${element.min_value} or more.`;
    if (element.max_value !== undefined && number > Number(element.max_value))
      return `Please enter ${element.max_value} or less.`;
  }
  if (element.min_length > value.length) return `Please enter at least ${element.min_length} characters.`;
  if (element.max_length < value.length) return `Please enter at most ${element.max_length} characters.`;
  if (element.max_selected_items < value.length)
    return `Please choose at most ${element.max_selected_items}.`;
  return undefined;
}

function say(error) {
  const notice = byId('modal-notice');
  if (notice === null) return;
  notice.hidden = error === undefined;
  notice.textContent = error ?? '';
}

/** Shows errors under their fields, and on the modal those that belong to none. */
function mark(overlay, errors) {
  for (const box of overlay.querySelectorAll('.field')) {
    const text = errors?.[box.dataset.block];
    const line = box.querySelector('.field-error');
    if (line.textContent !== (text ?? '')) line.textContent = text ?? '';
    line.hidden = text === undefined;
    for (const input of box.querySelectorAll('input, textarea, select'))
      input.setAttribute('aria-invalid', String(text !== undefined));
  }
}

const keyOf = (block) => block.block_id ?? block.element.action_id;

function field(block, context) {
  const key = keyOf(block);
  const id = `field-${key}`;
  const { element } = block;
  const isGroup = GROUPS.includes(element.type);
  const label = [
    ...textNodes(block.label, context.names),
    ...(block.optional ? [h('span', { class: 'optional' }, ' (optional)')] : []),
  ];
  const about = `${id}-hint ${id}-error`;
  return h(
    isGroup ? 'fieldset' : 'div',
    { class: 'block field', 'data-block': key, 'aria-describedby': isGroup && about },
    h(isGroup ? 'legend' : 'label', { for: !isGroup && id }, ...label),
    control(
      element,
      { id, name: key, 'aria-describedby': !isGroup && about, 'data-action': element.action_id },
      context,
    ),
    h(
      'p',
      { class: 'field-hint', id: `${id}-hint`, hidden: block.hint === undefined },
      ...textNodes(block.hint, context.names),
    ),
    h('p', { class: 'field-error', id: `${id}-error`, role: 'alert', hidden: true }),
  );
}

function control(element, props, context) {
  const placeholder = element.placeholder?.text;
  const common = { ...props, placeholder };
  switch (element.type) {
    case 'plain_text_input': {
      const limits = { maxlength: element.max_length };
      if (!element.multiline)
        return h('input', { ...common, ...limits, type: 'text', value: element.initial_value });
      return h('textarea', { ...common, ...limits, rows: 4 }, element.initial_value ?? '');
    }
    case 'number_input':
      return h('input', { ...common, inputmode: 'decimal', type: 'text', value: element.initial_value });
    case 'datepicker':
      return h('input', { ...props, type: 'date', value: element.initial_date });
    case 'datetimepicker':
      return h('input', { ...props, type: 'datetime-local', value: localTime(element.initial_date_time) });
    case 'users_select':
      return select(asOptions(context.users), element.initial_user, common);
    case 'conversations_select':
      return select(asOptions(context.channels), element.initial_conversation, common);
    case 'static_select':
      return select(choices(element), element.initial_option?.value, common);
    case 'radio_buttons':
      return group(element, 'radio', [element.initial_option?.value], props, context);
    case 'checkboxes':
    case 'multi_static_select':
      return group(
        element,
        'checkbox',
        element.initial_options?.map(({ value }) => value),
        props,
        context,
      );
    case 'multi_users_select': {
      const options = asOptions(context.users);
      return group({ ...element, options }, 'checkbox', element.initial_users, props, context);
    }
    default:
      return h('p', { class: 'unknown' }, `This page does not show “${element.type}”.`);
  }
}

const asOptions = (all) => all.map(({ id, name }) => ({ value: id, text: name }));

const choices = (element) =>
  (element.options ?? element.option_groups?.flatMap(({ options }) => options) ?? []).map(
    ({ value, text }) => ({
      value,
      text: text.text,
    }),
  );

const select = (options, chosen, { placeholder = 'Select an option', ...props }) =>
  h(
    'select',
    props,
    h('option', { value: '' }, placeholder),
    ...options.map(({ value, text }) => h('option', { value, selected: value === chosen }, text)),
  );

function group(element, type, chosen = [], { name, 'data-action': action }, context) {
  const values = new Set(chosen);
  const isLong = element.type.startsWith('multi_');
  return h(
    'div',
    { class: isLong ? 'options long' : 'options', 'data-action': action },
    ...(element.options ?? []).map((option) =>
      h(
        'label',
        { class: 'option' },
        h('input', { type, name, value: option.value, checked: values.has(option.value) }),
        h(
          'span',
          {},
          ...textNodes(option.text, context.names),
          option.description && h('small', {}, ...textNodes(option.description, context.names)),
        ),
      ),
    ),
  );
}

const inputsOf = (view) => (view.blocks ?? []).filter(({ type }) => type === 'input');

const allValues = (element, view) =>
  Object.fromEntries(inputsOf(view).map((block) => [keyOf(block), valueOf(element, block)]));

/** What was typed and ticked, by block, action and option: it stays when the view changes around it. */
const typedIn = (overlay) =>
  new Map(controls(overlay).map(({ key, input }) => [key, isTick(input) ? input.checked : input.value]));

function restore(overlay, typed) {
  for (const { key, input } of controls(overlay))
    if (typed.has(key)) input[isTick(input) ? 'checked' : 'value'] = typed.get(key);
}

const controls = (overlay) =>
  [...overlay.querySelectorAll('.field :is(input, textarea, select)')].map((input) => {
    const action = input.closest('[data-action]')?.dataset.action;
    return { input, key: JSON.stringify([input.name, action, isTick(input) && input.value]) };
  });

const isTick = ({ type }) => type === 'checkbox' || type === 'radio';

/** Text, a list of option values, or '' for nothing; a time in seconds since 1970. */
function valueOf(element, block) {
  const inputs = [...element.querySelectorAll('input, textarea, select')].filter(
    ({ name }) => name === keyOf(block),
  );
  const { type } = block.element;
  if (type === 'checkboxes' || type.startsWith('multi_'))
    return inputs.filter(({ checked }) => checked).map(({ value }) => value);
  if (type === 'radio_buttons') return inputs.find(({ checked }) => checked)?.value ?? '';
  const value = inputs[0]?.value ?? '';
  if (type === 'datetimepicker')
    return value === '' ? '' : String(Math.floor(new Date(value).getTime() / 1_000));
  return type === 'plain_text_input' ? value : value.trim();
}

/** Seconds since 1970 as the browser's field wants them, in its own zone. */
function localTime(seconds) {
  if (seconds === undefined) return undefined;
  const date = new Date(seconds * 1_000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
