import { describe, expect, test } from 'vitest';
import { Templates } from '../../../src/worker/executors/template.ts';

const args = {
  branch: 'x --priority P0',
  path: '../a b',
  up: '..',
  n: 3,
  quote: 'a"b\\',
  list: [1],
  half: '\ud800',
  none: null,
};
const env = { TOKEN: 'fake-token', SHORT: 'on', KEY: 'line one\nline two' };
const templates = (): Templates => new Templates(args, env);

describe('fill', () => {
  test.each([
    ['${args.branch}', 'text', 'x --priority P0'],
    ['n=${args.n} ${args.list} ${args.none}', 'text', 'n=3 [1] null'],
    ['Bearer ${env:TOKEN}', 'text', 'Bearer fake-token'],
    ['plain $1 {x} $', 'text', 'plain $1 {x} $'],
    [
      'https://a.test/${args.path}?q=${args.branch}',
      'url',
      'https://a.test/..%2Fa%20b?q=x%20--priority%20P0',
    ],
    ['${args.quote}/x', 'url', 'a"b\\/x'],
    ['{"a":"${args.quote}","n":${args.n},"l":${args.list}}', 'json', '{"a":"a\\"b\\\\","n":3,"l":[1]}'],
    ['a=${args.branch}', 'form', 'a=x%20--priority%20P0'],
  ] as const)('%s as %s', (template, place, expected) => {
    expect(templates().fill(template, place)).toBe(expected);
  });

  test('what is filled in is not read as a template again', () => {
    expect(new Templates({ a: '${env:TOKEN}' }, env).fill('${args.a}')).toBe('${env:TOKEN}');
  });

  test.each([
    ['${args.missing}', 'text', 'needs the argument "missing"'],
    ['${args.constructor}', 'text', 'needs the argument "constructor"'],
    ['${env:NOWHERE}', 'text', 'The environment variable NOWHERE is not set'],
    ['${HOME}', 'text', '${HOME} is not a template'],
    ['https://a.test/${args.up}/x', 'url', 'cannot be ".."'],
    ['https://a.test/${args.half}', 'url', 'half of a surrogate pair'],
  ] as const)('%s is refused', (template, place, message) => {
    expect(() => templates().fill(template, place)).toThrow(message);
  });
});

describe('hide', () => {
  test('hides what was filled in from the environment, line by line', () => {
    const filled = templates();
    filled.fill('${env:TOKEN}${env:KEY}${env:SHORT}');
    expect(filled.hide('a fake-token b; line two; on')).toBe('a [redacted] b; [redacted]; on');
  });

  test('leaves the rest alone', () => {
    expect(templates().hide('fake-token')).toBe('fake-token');
  });
});
