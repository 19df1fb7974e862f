import { describe, expect, test } from 'vitest';
import { fillArgs, referencesIn } from '../../src/domain/step-template.ts';

const values = {
  args: { service: 'api', n: 3, list: ['a', 'b'], deep: { on: true } },
  steps: { build: { image: 'api:7', none: null, tags: [{ name: 'x' }] } },
};

describe('placeholders of a step', () => {
  test.each([
    ['${args.service}', 'api'],
    ['${args.n}', 3],
    ['${args.deep}', { on: true }],
    ['${steps.build}', values.steps.build],
    ['${steps.build.tags.0.name}', 'x'],
    ['${steps.build.none}', null],
    ['v${args.n}-${args.service}', 'v3-api'],
    ['${args.list}!', '["a","b"]!'],
    ['plain $ {text}', 'plain $ {text}'],
  ])('%s is filled as %j', (text, filled) => {
    expect(fillArgs({ at: text, in: [{ it: text }] }, values)).toEqual({ at: filled, in: [{ it: filled }] });
  });

  test('other values are left as they are', () => {
    const args = { n: 1, yes: true, nothing: null, list: [1, [2]] };
    expect(fillArgs(args, values)).toEqual(args);
  });

  test('what is filled in is not filled again', () => {
    const sly = { args: { a: '${args.b}', b: 'secret' }, steps: {} };
    expect(fillArgs({ whole: '${args.a}', part: 'x${args.a}' }, sly)).toEqual({
      whole: '${args.b}',
      part: 'x${args.b}',
    });
  });

  test.each([
    '${args.gone}',
    '${steps.build.tags.9}',
    '${steps.build.image.length}',
    '${args.constructor}',
    '${args.__proto__.x}',
    'x${steps.later.y}',
  ])('%s has no value and says so', (text) => {
    expect(() => fillArgs({ at: text }, values)).toThrow(/^\$\{.*\} has no value\.$/);
  });

  test('are told from what is none', () => {
    const paths = (text: string) => referencesIn(text).map(({ path, whole }) => [path?.join('.'), whole]);
    expect(paths('${args.a}')).toEqual([['args.a', true]]);
    expect(paths('a${args.a}${steps.b.c-d}')).toEqual([
      ['args.a', false],
      ['steps.b.c-d', false],
    ]);
    for (const text of ['${env:HOME}', '${args}', '${steps.}', '${args.a', '${args..a}', '${other.a}', '${}'])
      expect(paths(text)).toEqual([[undefined, true]]);
  });
});
