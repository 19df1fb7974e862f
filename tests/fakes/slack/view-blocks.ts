import { checkBlocks, VIEW } from './blocks.ts';
import { checkPlain, type Fields, isFields, only } from './text-objects.ts';

/** docs.slack.dev/reference/views/modal-views and /home-tab-views */
const LIMITS = { blocks: 100, title: 24, id: 255, metadata: 3_000, bytes: 250_000 } as const;

const HOME = ['type', 'blocks', 'private_metadata', 'callback_id', 'external_id'];
const MODAL = [...HOME, 'title', 'close', 'submit', 'clear_on_close', 'notify_on_close', 'submit_disabled'];

/** Everything that is wrong with a view as the app gives it; empty when it is fine. */
export function checkView(view: unknown, type: 'modal' | 'home'): string[] {
  if (!isFields(view)) return ['view is no object'];
  const errors = only(view, type === 'modal' ? MODAL : HOME).map((error) => `view ${error}`);
  if (view['type'] !== type) errors.push(`view is no ${type}`);
  if (Buffer.byteLength(JSON.stringify(view)) > LIMITS.bytes) errors.push('view_too_large');
  for (const [name, most] of [
    ['callback_id', LIMITS.id],
    ['external_id', LIMITS.id],
    ['private_metadata', LIMITS.metadata],
  ] as const)
    if (view[name] !== undefined && (typeof view[name] !== 'string' || view[name].length > most))
      errors.push(`${name} is no text or too long`);
  if (type === 'modal') errors.push(...checkFrame(view));
  const { blocks } = view;
  if (!Array.isArray(blocks)) return [...errors, 'blocks is no list'];
  return [...errors, ...checkBlocks(blocks, LIMITS.blocks, VIEW).errors];
}

function checkFrame(view: Fields): string[] {
  const errors = checkPlain(view['title'], LIMITS.title, 'title');
  for (const name of ['submit', 'close'])
    if (view[name] !== undefined) errors.push(...checkPlain(view[name], LIMITS.title, name));
  for (const name of ['clear_on_close', 'notify_on_close', 'submit_disabled'])
    if (view[name] !== undefined && typeof view[name] !== 'boolean') errors.push(`${name} is no boolean`);
  const blocks: unknown[] = Array.isArray(view['blocks']) ? view['blocks'] : [];
  if (view['submit'] === undefined && blocks.some((block) => isFields(block) && block['type'] === 'input'))
    errors.push('submit is missing where there is input');
  return errors;
}
