import { checkElement } from './elements.ts';
import { checkMarkup, checkPlain, checkText, type Fields, isFields, isText, only } from './text-objects.ts';

/** Block Kit's shape and limits (docs.slack.dev/reference/block-kit), as far as the app uses it; the rest is refused. */
const LIMITS = {
  blocks: 50,
  header: 150,
  section: 3_000,
  fields: 10,
  field: 2_000,
  blockId: 255,
  elements: 25,
  contextElements: 10,
  label: 2_000,
  text: 40_000,
  /** Measured: `msg_blocks_too_long` comes near this many characters of JSON. */
  total: 13_200,
} as const;

/** Everything that is wrong with a message's `text` and `blocks`; empty when it is fine. */
export function checkMessage(message: { text?: unknown; blocks?: unknown }): string[] {
  const errors: string[] = [];
  if (typeof message.text !== 'string' || message.text.trim() === '') errors.push('text fallback is missing');
  else {
    if (message.text.length > LIMITS.text) errors.push('text is too long');
    errors.push(...checkMarkup(message.text, 'text'));
  }
  if (message.blocks === undefined) return errors;
  if (!Array.isArray(message.blocks)) return [...errors, 'blocks is no list'];
  if (message.blocks.length === 0) errors.push('0 blocks');
  if (JSON.stringify(message.blocks).length > LIMITS.total) errors.push('msg_blocks_too_long');
  const { errors: found, ids } = checkBlocks(message.blocks, LIMITS.blocks, MESSAGE);
  errors.push(...found);
  // Slack wants them unique in a block; a message of ours has each action once.
  if (new Set(ids).size !== ids.length) errors.push('action_id is not unique');
  return errors;
}

type BlockCheck = (block: Fields, ids: unknown[]) => string[];

const MESSAGE: Readonly<Record<string, BlockCheck>> = {
  divider: (block) => only(block, ['type', 'block_id']),
  header: (block) => [
    ...only(block, ['type', 'block_id', 'text']),
    ...checkPlain(block['text'], LIMITS.header, 'header'),
  ],
  section: checkSection,
  context: (block) => [
    ...only(block, ['type', 'block_id', 'elements']),
    ...elements(block, LIMITS.contextElements, (element) => checkText(element, LIMITS.section)),
  ],
  actions: (block, ids) => [
    ...only(block, ['type', 'block_id', 'elements']),
    ...elements(block, LIMITS.elements, (element) => checkElement(element, 'actions', ids)),
  ],
};

/** The blocks of modals and of Home, which may ask for input. */
export const VIEW: Readonly<Record<string, BlockCheck>> = { ...MESSAGE, input: checkInput };

/** All that is wrong with a list of blocks, and every action_id in it, in order. */
export function checkBlocks(
  blocks: readonly unknown[],
  most: number,
  known: Readonly<Record<string, BlockCheck>>,
): { errors: string[]; ids: unknown[] } {
  const errors: string[] = [];
  const all: unknown[] = [];
  if (blocks.length > most) errors.push(`${blocks.length} blocks`);
  for (const [index, block] of blocks.entries()) {
    const ids: unknown[] = [];
    const wrong = isFields(block) ? checkBlock(block, ids, known) : ['is no object'];
    if (new Set(ids).size !== ids.length) wrong.push('action_id is not unique');
    errors.push(...wrong.map((error) => `blocks[${index}] ${error}`));
    all.push(...ids);
  }
  const blockIds = blocks.flatMap((block) =>
    isFields(block) && block['block_id'] !== undefined ? [block['block_id']] : [],
  );
  if (new Set(blockIds).size !== blockIds.length) errors.push('block_id is not unique');
  return { errors, ids: all };
}

function checkBlock(block: Fields, ids: unknown[], known: Readonly<Record<string, BlockCheck>>): string[] {
  const check = known[String(block['type'])];
  if (check === undefined) return [`has the unknown type ${String(block['type'])}`];
  const errors = check(block, ids);
  if (block['block_id'] !== undefined && !isText(block['block_id'], LIMITS.blockId))
    errors.push('block_id is empty or too long');
  return errors;
}

function checkSection(block: Fields, ids: unknown[]): string[] {
  const { text, fields, accessory } = block;
  const errors = only(block, ['type', 'block_id', 'text', 'fields', 'accessory', 'expand']);
  if (text !== undefined || fields === undefined) errors.push(...checkText(text, LIMITS.section));
  if (fields !== undefined) {
    if (!Array.isArray(fields) || fields.length === 0 || fields.length > LIMITS.fields)
      errors.push('has no or too many fields');
    else errors.push(...fields.flatMap((field) => checkText(field, LIMITS.field, 'field')));
  }
  return accessory === undefined ? errors : [...errors, ...checkElement(accessory, 'accessory', ids)];
}

function checkInput(block: Fields, ids: unknown[]): string[] {
  const { hint, optional } = block;
  return [
    ...only(block, ['type', 'block_id', 'label', 'element', 'hint', 'optional', 'dispatch_action']),
    ...checkPlain(block['label'], LIMITS.label, 'label'),
    ...(hint === undefined ? [] : checkPlain(hint, LIMITS.label, 'hint')),
    ...(optional === undefined || typeof optional === 'boolean' ? [] : ['optional is no boolean']),
    ...checkElement(block['element'], 'input', ids),
  ];
}

function elements(block: Fields, most: number, check: (element: unknown) => string[]): string[] {
  const list = block['elements'];
  if (!Array.isArray(list) || list.length === 0 || list.length > most) return ['has no or too many elements'];
  return list.flatMap(check);
}
