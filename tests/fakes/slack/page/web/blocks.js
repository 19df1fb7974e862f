/** Block Kit as nodes (docs.slack.dev/reference/block-kit/blocks). */
import { byId, h } from './dom.js';
import { mrkdwn, plainText } from './mrkdwn.js';

/** A text object, or plain text. */
export function textNodes(text, names) {
  if (text === undefined || text === null) return [];
  if (typeof text === 'string') return [plainText(text)];
  return text.type === 'mrkdwn' ? mrkdwn(text.text, names) : [plainText(text.text)];
}

/**
 * The nodes of blocks.
 * @param context `names`, `press({ block, action, option })` for a click, and `input(block)` where inputs stand, in a modal.
 */
export const blockNodes = (blocks, context) =>
  blocks.map((block) =>
    blockNode(block, {
      ...context,
      press: (part, option) =>
        context.press({ block: block.block_id, action: part.action_id, ...(option && { option }) }),
    }),
  );

function blockNode(block, context) {
  switch (block.type) {
    case 'header':
      return h('h3', { class: 'block header' }, ...textNodes(block.text, context.names));
    case 'section':
      return section(block, context);
    case 'context':
      return row('context', block, (part) => small(part, context));
    case 'divider':
      return h('hr', { class: 'block' });
    case 'actions':
      return row('actions', block, (part) => element(part, context));
    case 'input':
      return context.input?.(block) ?? unknown(block.type);
    default:
      return unknown(block.type);
  }
}

const row = (kind, { elements = [] }, show) => h('div', { class: `block ${kind}` }, ...elements.map(show));

const unknown = (type) => h('p', { class: 'block unknown' }, `This page does not show “${type}”.`);

function section(block, context) {
  const { names } = context;
  const fields = (block.fields ?? []).map((field) => h('div', { class: 'cell' }, ...textNodes(field, names)));
  return h(
    'div',
    { class: 'block section' },
    h(
      'div',
      { class: 'body' },
      block.text && h('div', { class: 'text' }, ...textNodes(block.text, names)),
      fields.length > 0 ? h('div', { class: 'fields' }, ...fields) : undefined,
    ),
    block.accessory && h('div', { class: 'accessory' }, element(block.accessory, context)),
  );
}

const small = (part, { names }) =>
  part.type === 'image'
    ? h('span', { class: 'picture' }, part.alt_text ?? 'image')
    : h('span', {}, ...textNodes(part, names));

function element(part, context) {
  if (part.type !== 'button') return choice(part, context);
  const props = { type: 'button', class: `button ${part.style ?? ''}`, 'data-action': part.action_id };
  return h(
    'button',
    {
      ...props,
      'aria-label': part.accessibility_label,
      onclick: ({ currentTarget }) => void press(part, currentTarget, context),
    },
    ...textNodes(part.text, context.names),
  );
}

/** A menu: what is chosen is sent at once. */
function choice(part, context) {
  const isOverflow = part.type === 'overflow';
  const title = isOverflow ? '⋯' : (part.placeholder?.text ?? 'Select an option');
  const initial = part.initial_option?.value ?? '';
  const choose = async (menu) => {
    if (menu.value !== '') await press(part, menu, context, menu.value);
    if (isOverflow) menu.value = '';
  };
  return h(
    'select',
    {
      'aria-label': isOverflow ? 'More' : title,
      class: part.type,
      'data-action': part.action_id,
      onchange: ({ currentTarget }) => void choose(currentTarget),
    },
    h('option', { value: '' }, title),
    ...(part.options ?? []).map(({ value, text }) =>
      h('option', { value, selected: value === initial }, ...textNodes(text, context.names)),
    ),
  );
}

async function press(part, button, { names, press: send }, option) {
  if (part.url !== undefined && /^https?:\/\//.test(part.url)) window.open(part.url, '_blank', 'noopener');
  if (part.confirm !== undefined && !(await confirmed(part.confirm, names))) return;
  button.setAttribute('aria-busy', 'true');
  await send(part, option);
  button.removeAttribute('aria-busy');
}

/** Shows a confirmation dialog object; true when the person goes on. */
export function confirmed(dialog, names) {
  const overlay = byId('confirm');
  const { promise, resolve } = Promise.withResolvers();
  const button = (value, kind, text) =>
    h(
      'button',
      { type: 'button', class: `button ${kind}`, onclick: () => overlay.close(value) },
      ...textNodes(text, names),
    );
  overlay.replaceChildren(
    h('h2', { id: 'confirm-title' }, ...textNodes(dialog.title, names)),
    h('p', {}, ...textNodes(dialog.text, names)),
    h(
      'footer',
      {},
      button('no', '', dialog.deny),
      button('yes', dialog.style === 'danger' ? 'danger' : 'primary', dialog.confirm),
    ),
  );
  overlay.returnValue = 'no';
  overlay.addEventListener('close', () => resolve(overlay.returnValue === 'yes'), { once: true });
  overlay.showModal();
  return promise;
}
