/** Block Kit's shape and limits (docs.slack.dev/reference/block-kit), as far as the app uses it; the rest is refused. */
const LIMITS = {
  blocks: 50,
  section: 3_000,
  button: 75,
  value: 2_000,
  actionId: 255,
  elements: 25,
  contextElements: 10,
  text: 40_000,
  /** Measured: `msg_blocks_too_long` comes near this many characters of JSON. */
  total: 13_200,
} as const;

type Fields = Record<string, unknown>;

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
  return [...errors, ...checkBlocks(message.blocks)];
}

function checkBlocks(blocks: unknown[]): string[] {
  const errors: string[] = [];
  if (blocks.length === 0 || blocks.length > LIMITS.blocks) errors.push(`${blocks.length} blocks`);
  if (JSON.stringify(blocks).length > LIMITS.total) errors.push('msg_blocks_too_long');
  const ids: unknown[] = [];
  for (const [index, block] of blocks.entries()) {
    if (!isFields(block)) errors.push(`blocks[${index}] is no object`);
    else errors.push(...checkBlock(block, ids).map((error) => `blocks[${index}] ${error}`));
  }
  if (new Set(ids).size !== ids.length) errors.push('action_id is not unique');
  return errors;
}

function checkBlock(block: Fields, ids: unknown[]): string[] {
  switch (block['type']) {
    case 'divider':
      return only(block, ['type', 'block_id']);
    case 'section':
      return [...only(block, ['type', 'block_id', 'text']), ...checkText(block['text'], LIMITS.section)];
    case 'context':
      return [
        ...only(block, ['type', 'block_id', 'elements']),
        ...elements(block, LIMITS.contextElements, (element) => checkText(element, LIMITS.section)),
      ];
    case 'actions':
      return [
        ...only(block, ['type', 'block_id', 'elements']),
        ...elements(block, LIMITS.elements, (element) => checkButton(element, ids)),
      ];
    default:
      return [`has the unknown type ${String(block['type'])}`];
  }
}

function elements(block: Fields, most: number, check: (element: unknown) => string[]): string[] {
  const list = block['elements'];
  if (!Array.isArray(list) || list.length === 0 || list.length > most) return ['has no or too many elements'];
  return list.flatMap(check);
}

function checkButton(button: unknown, ids: unknown[]): string[] {
  if (!isFields(button) || button['type'] !== 'button') return ['has an element that is no button'];
  const errors = only(button, ['type', 'action_id', 'text', 'value', 'style', 'url', 'confirm']);
  ids.push(button['action_id']);
  if (!isText(button['action_id'], LIMITS.actionId)) errors.push('action_id is empty or too long');
  if (!isText(button['value'], LIMITS.value)) errors.push('value is empty or too long');
  if (![undefined, 'primary', 'danger'].includes(button['style'] as undefined | string))
    errors.push('style is unknown');
  const text = button['text'];
  if (!isFields(text) || text['type'] !== 'plain_text') errors.push('button text is not plain_text');
  return [...errors, ...checkText(text, LIMITS.button)];
}

function checkText(text: unknown, most: number): string[] {
  if (!isFields(text)) return ['text is missing'];
  const errors = only(text, ['type', 'text', 'emoji', 'verbatim']);
  if (text['type'] !== 'mrkdwn' && text['type'] !== 'plain_text') errors.push('text has an unknown type');
  if (text['type'] === 'mrkdwn' && text['emoji'] !== undefined) errors.push('emoji is for plain_text');
  if (text['type'] === 'plain_text' && text['verbatim'] !== undefined) errors.push('verbatim is for mrkdwn');
  if (!isText(text['text'], most)) errors.push('text is empty or too long');
  else if (text['type'] === 'mrkdwn') errors.push(...checkMarkup(text['text'], 'mrkdwn'));
  return errors;
}

const LINK = /<(?:@[UW][A-Z0-9]+|#C[A-Z0-9]+|https?:\/\/[^\s|<>]+)(?:\|[^<>]*)?>/g;

/** Raw `&`, `<`, `>` are user text that was not escaped; a broadcast is never ours. Half a character is no text. */
function checkMarkup(text: string, where: string): string[] {
  const rest = text.replace(LINK, '');
  const errors = [];
  if (/[<>]/.test(rest) || /&(?!(?:amp|lt|gt);)/.test(rest)) errors.push(`${where} is not escaped`);
  if (!text.isWellFormed()) errors.push(`${where} has half a surrogate pair`);
  return errors;
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown, most: number): value is string =>
  typeof value === 'string' && value.trim() !== '' && value.length <= most;

function only(fields: Fields, known: readonly string[]): string[] {
  return Object.keys(fields)
    .filter((key) => !known.includes(key))
    .map((key) => `has the unknown field ${key}`);
}
