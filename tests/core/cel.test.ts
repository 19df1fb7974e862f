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
