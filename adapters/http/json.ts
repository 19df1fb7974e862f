import { isUtf8 } from 'node:buffer';
import { Refusal } from '../../src/domain/errors.ts';
import { walkJson } from '../../src/domain/json.ts';

/** Looking for the place of an error costs about twenty more readings; longer texts are refused without it. */
const LOCATED = 64 * 1024;

/**
 * Strict JSON (RFC 8259) from bytes: UTF-8, no lone surrogates (RFC 7493, 2.1), no name twice in an object (2.3),
 * bounded depth.
 * @throws Refusal `malformed` saying what is wrong and where.
 */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new Refusal('malformed', 'This is not valid UTF-8 text.');
  const text = bytes.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Refusal('malformed', `This is not valid JSON${whereBroken(text)}.`, { cause });
  }
  // Of two members of one name the reading keeps the last, so it has fewer than the text; others might keep the first.
  if (checkTree(value) < membersIn(text))
    throw new Refusal('malformed', 'An object in this JSON has the same name twice; give each name once.');
  return value;
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** How many members the objects of a JSON text have: its colons outside of strings. */
function membersIn(text: string): number {
  let members = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) quoted = !quoted;
    else if (unit === BACKSLASH) at += 1;
    else if (unit === COLON && !quoted) members += 1;
  }
  return members;
}

/** Checks every text, and returns how many members the objects have. */
function checkTree(root: unknown): number {
  let members = 0;
  checkText(root);
  walkJson(root, (name, value, parent) => {
    if (!Array.isArray(parent)) members += 1;
    checkText(name);
    checkText(value);
  });
  return members;
}

function checkText(value: unknown): void {
  if (typeof value === 'string' && !value.isWellFormed())
    throw new Refusal(
      'malformed',
      'This JSON text has half a surrogate pair in it; use well-formed Unicode.',
    );
}

/** The place of the first character that no JSON text can have there: the longest start that may still become one. */
function whereBroken(text: string): string {
  if (text.length > LOCATED) return '';
  let good = 0;
  let bad = text.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (mayContinue(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  if (good === text.length) return `: it ends too early, at position ${good}`;
  const before = text.slice(0, good);
  const line = before.split('\n').length;
  return ` at position ${good} (line ${line}, column ${good - before.lastIndexOf('\n')})`;
}

/** V8 names the end of the input, or a position at it, when all that is missing is more. */
function mayContinue(start: string): boolean {
  try {
    JSON.parse(start);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (/^(Unexpected end|Unterminated string)/.test(message)) return true;
    const position = /at position (\d+)/.exec(message)?.[1];
    return position !== undefined && Number(position) >= start.length;
  }
}
