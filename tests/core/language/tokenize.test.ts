import { describe, expect, test } from 'vitest';
import { checkText, MAX_TEXT, tokenize, trimPasted } from '../../../src/core/language/tokenize.ts';
import { Refusal } from '../../../src/domain/errors.ts';

const words = (text: string): string[] => tokenize(text).map((token) => token.text);

test.each([
  ['\u200btask list\u200b', 'task list'],
  ['\ufeff \u200b\n task list \u200b\ufeff', 'task list'],
  ['a\u200bb', 'a\u200bb'],
  ['\u200d👩\u200d🚒', '\u200d👩\u200d🚒'],
  ['\u200b \ufeff', ''],
  ['', ''],
])('%j pasted is %j', (text, trimmed) => {
  expect(trimPasted(text)).toBe(trimmed);
});

describe('tokenize', () => {
  test.each([
    ['a b  c', ['a', 'b', 'c']],
    ['  a\nb\t c \r\n', ['a', 'b', 'c']],
    ['a\u00a0b', ['a', 'b']],
    ['', []],
    ['   ', []],
    ['"" \'\'', ['', '']],
    ['"a b" \'c d\'', ['a b', 'c d']],
    ['a"b c"d', ['ab cd']],
    [String.raw`a\ b \"c\"`, ['a b', '"c"']],
    [String.raw`"a \"b\" \\ \n"`, [String.raw`a "b" \ \n`]],
    [String.raw`'a\b'`, [String.raw`a\b`]],
    ["don't stop", ["don't", 'stop']],
    ['“Fix login” ‘two words’ „unten”', ['Fix login', 'two words', 'unten']],
    ['‘don’t go’ x', ['don’t go', 'x']],
    ['say “hi', null],
    ['it’s', ['it’s']],
    ['‘tis', ['‘tis']],
    ['"She said “hi”"', ['She said “hi”']],
    ['--title=“Fix it”', ['--title=Fix it']],
    ['--url https://x.test/h?a=b&c="d"#e', ['--url', 'https://x.test/h?a=b&c=d#e']],
    ['https://x.test/h?a=b#c', ['https://x.test/h?a=b#c']],
    ['🚦 Zürich 信号', ['🚦', 'Zürich', '信号']],
    ['\\🚦x', ['🚦x']],
    ['—priority P0 –owner', ['--priority', 'P0', '--owner']],
    ['now — later', ['now', '—', 'later']],
    ['"—priority"', ['—priority']],
  ])('%j', (text, expected) => {
    if (expected === null) expect(() => words(text)).toThrow(Refusal);
    else expect(words(text)).toEqual(expected);
  });

  test('marks flags, and values that only look like flags', () => {
    const shape = tokenize('--a "--b" \\--c -- -d —e "" “--f”').map((t) => [t.text, t.flag, t.quoted]);
    expect(shape).toEqual([
      ['--a', true, false],
      ['--b', false, true],
      ['--c', false, true],
      ['--', false, false],
      ['-d', false, false],
      ['--e', true, false],
      ['', false, true],
      ['--f', false, true],
    ]);
  });

  test.each([
    ['task create "Fix login', 'The quote at character 13 is not closed: "Fix login'],
    ["x 'y", "The quote at character 3 is not closed: 'y"],
    ['“a b', 'The quote at character 1 is not closed: “a b'],
    ['a\\', 'The text ends in a backslash; write \\\\ for a backslash.'],
  ])('refuses %j and shows where', (text, message) => {
    expect(() => tokenize(text)).toThrow(message);
  });

  test('takes the longest text in linear time', () => {
    expect(words(`"${'\\"'.repeat(3_999)}"`)).toEqual(['"'.repeat(3_999)]);
    expect(words("'".repeat(8_000))).toEqual(['']);
    expect(() => tokenize('“'.repeat(8_000))).toThrow(Refusal);
  });
});

describe('checkText', () => {
  test.each([
    ['x'.repeat(MAX_TEXT + 1), 'too_large'],
    ['half \ud83d a character', 'malformed'],
    ['nul \0', 'malformed'],
    ['escape \u001b[31m', 'malformed'],
    ['delete \u007f', 'malformed'],
    ['next line \u0085', 'malformed'],
  ])('refuses %#', (text, code) => {
    expect(() => checkText(text)).toThrow(expect.objectContaining({ code }));
  });

  test('takes tab, line ends, emoji and the longest text', () => {
    expect(() => checkText('a\tb\r\n🚦')).not.toThrow();
    expect(() => checkText('x'.repeat(MAX_TEXT))).not.toThrow();
  });
});
