import { describe, expect, test } from 'vitest';
import { readYaml } from '../../src/config/yaml.ts';

describe('hostile YAML', () => {
  test.for([
    [
      'a billion laughs',
      `a: &a [x]\n${'bcdefghi'.replaceAll(/./g, (name) => `${name}: &${name} [*a, *a, *a, *a, *a]\n`)}`,
    ],
    ['a quadratic blow-up', `a: &a "${'x'.repeat(10_000)}"\nb: [${'*a, '.repeat(10_000)}]\n`],
    ['deep lists', '['.repeat(20_000)],
    ['deep maps', '{a: '.repeat(20_000)],
    ['deep blocks', '- '.repeat(20_000)],
    ['a recursive alias', 'a: &a\n  b: *a\n'],
    ['a custom tag', 'a: !!js/function "() => 1"\n'],
    ['YAML 1.1 with a merge', '%YAML 1.1\n---\na: &a {b: 1}\nc: {<<: *a}\n'],
  ] as const)('%s is refused, without a value', ([, text]) => {
    const { problems, value } = readYaml(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.length).toBeLessThanOrEqual(20);
    expect(value).toBeNull();
  });
});

describe('positions', () => {
  const { locate } = readYaml('# top\nroles:\n  one:\n    - a\n    - b\nlimits: { perSender: 5 }\n');

  test.for([
    [['roles'], 2, 1],
    [['roles', 'one'], 3, 3],
    [['roles', 'one', 1], 5, 7],
    [['limits', 'perSender'], 6, 11],
    [['limits', 'missing'], 6, 1],
    [['missing'], 2, 1],
    [[], 2, 1],
  ] as const)('%j', ([path, line, column]) => {
    expect(locate(path)).toEqual({ line, column });
  });

  test('with Windows line ends and a byte order mark', () => {
    expect(readYaml('\uFEFFa: 1\r\nb: 2\r\n').locate(['b'])).toEqual({ line: 2, column: 1 });
  });
});

test('plain data comes out as it is written', () => {
  const text = 'date: 2026-11-20\nyes: no\n200: a\nnothing: ~\ntext: |\n  one\n  two\n';
  expect(readYaml(text).value).toEqual({
    date: '2026-11-20',
    yes: 'no',
    200: 'a',
    nothing: null,
    text: 'one\ntwo\n',
  });
});
