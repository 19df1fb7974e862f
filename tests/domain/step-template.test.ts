import { describe, expect, test } from 'vitest';
import { redact } from '../../src/domain/redact.ts';
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

  test.each(['${steps.a.deployToken}', 'x${steps.a.list.0}', '${steps.a}'])(
    '%s holds what was not kept, so nothing is handed on in its place',
    (text) => {
      const steps = redact({ a: { deployToken: 'abcdef-example', list: ['sk-' + 'fake0'.repeat(8)], n: 1 } });
      expect(() => fillArgs({ at: text }, { args: {}, steps })).toThrow(
        /^\$\{steps\.a.*\} holds what looks like a secret, which is not handed on\.$/,
      );
      expect(fillArgs({ at: '${steps.a.n}' }, { args: {}, steps })).toEqual({ at: 1 });
    },
  );

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
