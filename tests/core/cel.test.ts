import { describe, expect, test } from 'vitest';
import { compileCel } from '../../src/core/cel.ts';
import { Refusal } from '../../src/domain/errors.ts';

const payload = {
  action: 'completed',
  count: 7,
  title: 'Überraschung 🎉',
  branch: 'x --priority P0',
  sender: { id: 583231 },
  commits: [{ files: ['a.ts', 'b.md'] }, { files: ['c.ts'] }],
};
const given = { event: 'workflow_run', payload, headers: { 'x-kind': 'a' } };
const VARIABLES = ['event', 'payload', 'headers'];
const evaluate = (expression: string): unknown => compileCel(expression, VARIABLES).evaluate(given);

function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal && error.code === 'invalid_argument') return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

describe('evaluate', () => {
  test.each([
    ['event == "workflow_run" && payload.action == "completed"', true],
    ['payload.count', 7],
    ['payload.count > 6', true],
    ['size(payload.commits)', 2],
    ['"P" + string(int(payload.count))', 'P7'],
    ['payload.branch', 'x --priority P0'],
    ['headers["x-kind"]', 'a'],
    ['has(payload.missing) ? payload.missing : "none"', 'none'],
    ['payload.commits.exists(c, c.files.exists(f, f.endsWith(".md")))', true],
    ['payload.commits.map(c, size(c.files))', [2, 1]],
    ['{"a": 1, "b": payload.title}', { a: 1, b: 'Überraschung 🎉' }],
    ['timestamp("2026-01-02T03:04:05Z")', '2026-01-02T03:04:05.000Z'],
    ['payload.branch.matches("^x --[a-z]+")', true],
    ['payload.title.matches("^b")', false],
  ])('%s', (expression, expected) => {
    expect(evaluate(expression)).toEqual(expected);
  });

  test.each([
    ['payload.missing', 'CEL at character 9: No such key: missing'],
    ['payload.count + 1', 'no such overload: dyn<double> + int'],
    ['payload.constructor', 'No such key: constructor'],
    ['payload.count.matches("7")', 'matches() works on text'],
    ['bytes(payload.title)', 'the result has to be text'],
    ['int(1e300)', 'the result has to be text'],
  ])('%s is refused when run', (expression, message) => {
    const program = compileCel(expression, VARIABLES);
    expect(refusalOf(() => program.evaluate(given))).toContain(message);
  });
});

describe('compile', () => {
  test.each([
    ['payload.a ==', 'CEL at character 13: Unexpected token: EOF (in: payload.a ==)'],
    ['', 'Unexpected token'],
    ['process.exit(1)', 'Unknown variable: process'],
    ['event.matches("(")', 'is not an RE2 pattern'],
    ['event.matches(payload.pattern)', 'matches() takes a pattern written as text'],
    ['1 + "a"', 'no such overload'],
    ['payload.a.all(x, payload.b.all(y, x == y))', 'may only walk a part of "x"'],
    ['payload.a.all(x, x.b.all(y, x.c.all(z, z == y)))', 'may only walk a part of "y"'],
    ['cel.bind(x, payload.a, x == 1)', 'cel.bind is not offered here'],
    [`event == "${'x'.repeat(5_000)}"`, 'at most 4096 characters'],
    [`${'('.repeat(1_000)}1${')'.repeat(1_000)}`, 'maxDepth'],
    [Array.from({ length: 600 }, () => '1').join('+'), 'maxAstNodes'],
  ])('refuses %s', (expression, message) => {
    expect(refusalOf(() => compileCel(expression, VARIABLES))).toContain(message);
  });

  test('a pattern that would make a backtracking engine hang answers at once', () => {
    const program = compileCel('payload.matches("^(a+)+$")', VARIABLES);
    expect(program.evaluate({ ...given, payload: `${'a'.repeat(100_000)}!` })).toBe(false);
  });
});

describe('work', () => {
  const run = (expression: string, value: unknown): unknown =>
    compileCel(expression, VARIABLES).evaluate({ ...given, payload: value });
  const numbers = (length: number): number[] => Array.from({ length }, (_, index) => index);
  const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
  const texts = { t: 'a'.repeat(700_000), u: `${'a'.repeat(100_000)}b${'a'.repeat(100_000)}` };
  const product = { a: Array<string>(120_000).fill('y'), t: 'z'.repeat(300_000) };

  // Without a bound these take seconds, some minutes; all but the loops of few turns fit into 1 MiB of JSON.
  test.each<[string, unknown]>([
    ['payload.a.exists(x, payload.t.contains(x))', product],
    ['payload.a.exists(x, false || payload.t.contains(x))', product],
    ['payload.a.all(x, size(payload.t) > 1)', product],
    ['payload.a.filter(x, payload.t.matches("q$")).size() > 0', product],
    ['payload.a.map(x, payload.t).join()', product],
    ['payload.a.map(x, payload.a)', { a: numbers(3_000) }],
    ['payload.a.map(x, payload.t)', product],
    ['payload.a.exists(x, x in payload.a && false)', { a: numbers(3_000).map((n) => [n]) }],
    [
      'payload.a.exists(x, payload.b != payload.c)',
      { a: numbers(1_000), b: numbers(9_000), c: numbers(9_000) },
    ],
    ['payload.a.exists(x, x.foo == 3)', { a: numbers(180_000) }],
    ['payload.a.exists(x, has(x.foo.bar))', { a: numbers(180_000) }],
    ['payload.a.exists(x, x.exists(y, y || y))', { a: numbers(400).map(() => numbers(400)) }],
    ['payload.t.contains(payload.u)', texts],
    ['payload.t.lastIndexOf(payload.u)', texts],
    ['payload.t.lastIndexOf(payload.u) > 0 || true', texts],
    ['payload.t.split(payload.u)', texts],
    ['duration(payload.d) > duration("1s")', { d: '1'.repeat(5_000) }],
    ['payload.t.matches("([a-z]x?){1,20}[0-9]")', texts],
    ['payload.a == 1', { a: nested(4_000) }],
    [`[payload.t]${'.map(x, [x, x])'.repeat(30)}`, { t: 'a' }],
    [`[payload.t]${'.map(x, x + x)'.repeat(30)}`, { t: 'a' }],
  ])('%s is refused before it is done', (expression, value) => {
    const started = performance.now();
    expect(refusalOf(() => run(expression, value))).toContain('too much work');
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  test.each<[string, unknown, unknown]>([
    ['payload', numbers(100_000), numbers(100_000)],
    ['size(payload.t)', product, 300_000],
    ['payload.t.contains("b")', texts, false],
    ['payload.exists(x, x == 9999)', numbers(10_000), true],
    [
      'payload.map(x, [x, x])',
      [1, 2],
      [
        [1, 1],
        [2, 2],
      ],
    ],
    [
      'payload.commits.exists(c, c.author.id == payload.sender.id && c.files.exists(f, f.endsWith(payload.ext)))',
      {
        sender: { id: 2_047 },
        ext: '.md',
        commits: numbers(2_048).map((id) => ({ author: { id }, files: ['a.ts', 'b.ts', 'c.md'] })),
      },
      true,
    ],
    [
      'payload.labels.all(l, payload.body.contains(l.name))',
      { labels: numbers(100).map(() => ({ name: 'bug' })), body: `${'x'.repeat(60_000)}bug` },
      true,
    ],
  ])('%s on a large payload is answered', (expression, value, expected) => {
    expect(run(expression, value)).toEqual(expected);
  });

  test('one evaluation that is refused costs the next nothing', () => {
    const program = compileCel('payload.t.contains(payload.u)', VARIABLES);
    expect(() => program.evaluate({ ...given, payload: texts })).toThrow('too much work');
    expect(program.evaluate({ ...given, payload: { t: 'abc', u: 'b' } })).toBe(true);
  });
});
