import type { Body } from '../../src/core/message.ts';
import { Refusal } from '../../src/domain/errors.ts';

const KNOWN = new Set(['text', 'command', 'args']);
const EXPECTED = 'Expected {"text": "task list"} or {"command": "task.list", "args": {}}';

/**
 * A message in JSON: `{"text"}` or `{"command", "args"}`, nothing else.
 * @throws Refusal `malformed` naming what is missing, unknown or of another type.
 */
export function decodeBody(fields: Readonly<Record<string, unknown>>): Body {
  for (const name of Object.keys(fields))
    if (!KNOWN.has(name)) throw new Refusal('malformed', `${EXPECTED}; "${name.slice(0, 50)}" is unknown.`);
  const { text, command, args } = fields;
  if (text !== undefined) {
    if (command !== undefined || args !== undefined)
      throw new Refusal('malformed', `${EXPECTED}; text and command exclude each other.`);
    if (typeof text !== 'string') throw new Refusal('malformed', `${EXPECTED}; text must be a string.`);
    return { text };
  }
  if (typeof command !== 'string') throw new Refusal('malformed', `${EXPECTED}.`);
  if (args !== undefined && (typeof args !== 'object' || args === null || Array.isArray(args)))
    throw new Refusal('malformed', `${EXPECTED}; args must be an object.`);
  return { command, args: args ?? {} };
}
