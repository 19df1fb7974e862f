import { clip } from '../../domain/clip.ts';
import { Refusal } from '../../domain/errors.ts';

/** One word of a command line, with quotes and escapes already taken out. */
export interface Token {
  readonly text: string;
  /** Position of its first character, and of the one after its last. */
  readonly start: number;
  readonly end: number;
  /** `--name…` typed without quotes. */
  readonly flag: boolean;
  /** Begins with a quote or an escape, so it is a value whatever it says. */
  readonly quoted: boolean;
}

/** Longest command text, in UTF-16 units. */
export const MAX_TEXT = 8_000;

/** Control characters other than tab and the line ends: refused wherever they come from. */
export const CONTROL = /[^\P{Cc}\t\n\r]/u;
const PLAIN = /[A-Za-z0-9_.,:;/@#=?&%+*!~$^()[\]{}<>|-]+/y;
const LETTER = /[\p{L}\p{N}]/u;
const SPACE = /\s/;
const SPACES = /\s*/y;

/**
 * Phones replace `"` and `'` by these. What closes one does so only at the end of a word, for `’` is an apostrophe too.
 */
const SMART: Readonly<Record<string, RegExp>> = {
  '“': /”(?=\s|$)/g,
  '”': /”(?=\s|$)/g,
  '„': /[“”](?=\s|$)/g,
  '‘': /’(?=\s|$)/g,
};
/** And `--` by a dash. */
const LONG_DASHES = '—–';

/** What copying brings along at the edges and nobody sees: white space, with the byte order mark, and U+200B. */
const EDGE = /[\s\u200b]/;

/** The text without what is invisible at its edges; inside it may mean something. */
export function trimPasted(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && EDGE.test(text.charAt(start))) start++;
  while (end > start && EDGE.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/**
 * @throws Refusal `too_large` over 8,000 characters, `malformed` for lone surrogates and control characters.
 */
export function checkText(text: string): void {
  if (text.length > MAX_TEXT)
    throw new Refusal(
      'too_large',
      `A command may have ${MAX_TEXT.toLocaleString('en')} characters, and this one has ${text.length.toLocaleString('en')}.`,
    );
  if (!text.isWellFormed())
    throw new Refusal('malformed', 'The text is not well-formed Unicode: it has half a character.');
  const control = CONTROL.exec(text);
  if (control)
    throw new Refusal('malformed', `Character ${control.index + 1} is a control character; leave it out.`);
}

/**
 * Splits a command line into words, as a shell does: white space separates, `"…"` and `'…'` keep it together, `\`
 * takes the next character as it is (inside `"…"` only before `"` and `\`). Unlike a shell, an apostrophe after a letter
 * or a digit (`don't`) is no quote, and typographic quotes count where they stand around a word. Nothing is expanded.
 * @throws Refusal `malformed` for a quote that is not closed, showing where it opens.
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = skip(SPACES, text, 0);
  while (at < text.length) {
    const token = readWord(text, at);
    tokens.push(token);
    at = skip(SPACES, text, token.end);
  }
  return tokens;
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

function readWord(text: string, start: number): Token {
  let word = '';
  let at = start;
  while (at < text.length) {
    const plain = skip(PLAIN, text, at);
    if (plain > at) word += text.slice(at, plain);
    at = plain;
    const char = text[at];
    if (char === undefined || SPACE.test(char)) break;
    const piece = readPiece(text, at, start, char);
    word += piece.text;
    at = piece.end;
  }
  const first = text.charAt(start);
  const quoted =
    first === '"' ||
    first === "'" ||
    first === '\\' ||
    (SMART[first] !== undefined && word.charAt(0) !== first);
  if (!quoted && LONG_DASHES.includes(first) && LETTER.test(word.charAt(1))) word = `--${word.slice(1)}`;
  return { text: word, start, end: at, flag: !quoted && word.length > 2 && word.startsWith('--'), quoted };
}

interface Piece {
  readonly text: string;
  readonly end: number;
}

function readPiece(text: string, at: number, start: number, char: string): Piece {
  if (char === '"') return readDouble(text, at);
  if (char === "'" && !(at > start && LETTER.test(text.charAt(at - 1)))) return readSingle(text, at);
  if (char === '\\') {
    if (at + 1 === text.length)
      throw new Refusal('malformed', 'The text ends in a backslash; write \\\\ for a backslash.');
    const next = String.fromCodePoint(text.codePointAt(at + 1) ?? 0);
    return { text: next, end: at + 1 + next.length };
  }
  const closer = SMART[char];
  if (closer && (at === start || text[at - 1] === '=')) return readSmart(text, at, char, closer);
  return { text: char, end: at + 1 };
}

function readDouble(text: string, open: number): Piece {
  let value = '';
  let from = open + 1;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '"') return { text: value + text.slice(from, at), end: at + 1 };
    const next = text[at + 1];
    if (char === '\\' && (next === '"' || next === '\\')) {
      value += text.slice(from, at) + next;
      from = at + 2;
      at++;
    }
  }
  throw unclosed(text, open);
}

function readSingle(text: string, open: number): Piece {
  const close = text.indexOf("'", open + 1);
  if (close < 0) throw unclosed(text, open);
  return { text: text.slice(open + 1, close), end: close + 1 };
}

function readSmart(text: string, open: number, char: string, closer: RegExp): Piece {
  closer.lastIndex = open + 1;
  const close = closer.exec(text);
  if (close) return { text: text.slice(open + 1, close.index), end: close.index + 1 };
  if (char === '‘') return { text: char, end: open + 1 };
  throw unclosed(text, open);
}

function unclosed(text: string, open: number): Refusal {
  return new Refusal(
    'malformed',
    `The quote at character ${open + 1} is not closed: ${clip(text.slice(open), 30)}`,
  );
}
