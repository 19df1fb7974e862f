import { Environment, type ASTNode, type TypeCheckResult } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { Refusal } from '../domain/errors.ts';
import { Meter, WorkExceeded } from './cel-meter.ts';

/** A compiled condition or argument of the configuration, in the Common Expression Language. */
export interface CelProgram {
  readonly source: string;
  /**
   * The value for these variables, as JSON: whole numbers become numbers, timestamps RFC 3339 text.
   * @throws Refusal `invalid_argument` when a field is missing, types do not fit, the result is not JSON, or
   * these values would cost too much work.
   */
  evaluate(values: Readonly<Record<string, unknown>>): unknown;
}

const MAX_LENGTH = 4_096;
const LIMITS = {
  maxAstNodes: 500,
  maxDepth: 40,
  maxListElements: 200,
  maxMapEntries: 200,
  maxCallArguments: 16,
};
const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

/**
 * Compiles and type-checks an expression (https://github.com/google/cel-spec). It may use the variables named and
 * nothing else. Whatever the values, an evaluation ends within about a tenth of a second: its work is metered,
 * patterns are RE2 (linear time), and a loop inside a loop may only walk what the outer one is at.
 * @throws Refusal `invalid_argument` that names the position.
 */
export function compileCel(expression: string, variables: readonly string[]): CelProgram {
  if (expression.length > MAX_LENGTH)
    throw new Refusal('invalid_argument', `A CEL expression has at most ${MAX_LENGTH} characters.`);
  try {
    const meter = new Meter();
    const program = environment(variables, meter).parse(expression);
    const checked: TypeCheckResult = program.check();
    if (!checked.valid) throw checked.error ?? new TypeError('wrong types');
    checkLoops(program.ast);
    meter.attach(program.ast);
    return { source: expression, evaluate: (values) => run(expression, program, meter, values) };
  } catch (error) {
    throw refusal(expression, error);
  }
}

function run(
  expression: string,
  program: (values: Record<string, unknown>) => unknown,
  meter: Meter,
  values: object,
): unknown {
  try {
    meter.reset();
    const value = program({ ...values });
    meter.check();
    meter.whole(value);
    return plain(value);
  } catch (error) {
    throw refusal(expression, error);
  }
}

function environment(variables: readonly string[], meter: Meter): Environment {
  const env = new Environment({ homogeneousAggregateLiterals: false, limits: LIMITS });
  for (const name of variables) env.registerVariable(name, 'dyn');
  // The library's `matches` runs a backtracking RegExp, where CEL asks for RE2. An overload cannot be replaced, but
  // a macro is looked up by name before any overload, whatever the receiver it was declared on.
  env.registerFunction('bool.matches(ast): bool', (call: MacroCall) => linearMatch(call, meter));
  return env;
}

/** What the library hands a macro, as far as it is used here. */
interface MacroCall {
  readonly args: readonly ASTNode[];
  readonly receiver: ASTNode;
}
interface Checker {
  check(node: ASTNode, context: unknown): unknown;
  getType(name: string): unknown;
}
interface Evaluator {
  run(node: ASTNode, context: unknown): unknown;
}

function linearMatch({ args, receiver }: MacroCall, meter: Meter): object {
  const pattern = args[0]?.op === 'value' ? args[0].args : undefined;
  if (typeof pattern !== 'string') throw new CelFault('matches() takes a pattern written as text', args[0]);
  const compiled = compilePattern(pattern, args[0]);
  return {
    typeCheck(checker: Checker, _macro: unknown, context: unknown): unknown {
      checker.check(receiver, context);
      return checker.getType('bool');
    },
    evaluate(evaluator: Evaluator, _macro: unknown, context: unknown): boolean {
      const value = evaluator.run(receiver, context);
      if (typeof value !== 'string') throw new CelFault('matches() works on text', receiver);
      meter.spend(2 * value.length * compiled.programSize());
      return compiled.matcher(value).find();
    },
  };
}

function compilePattern(pattern: string, node: ASTNode | undefined): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new CelFault(`"${pattern}" is not an RE2 pattern: ${(error as Error).message}`, node);
  }
}

/** Refuses loops whose cost would be a product: over anything but a part of the enclosing loop's own element. */
function checkLoops(node: unknown, inside?: string): void {
  if (Array.isArray(node)) for (const each of node) checkLoops(each, inside);
  if (!isNode(node)) return;
  if (node.op !== 'rcall') return checkLoops(node.args, inside);
  const [name, receiver, args] = node.args;
  if (name === 'bind') throw new CelFault('cel.bind is not offered here', node);
  const variable = LOOPS.has(name) && args[0]?.op === 'id' ? args[0].args : undefined;
  if (variable !== undefined && inside !== undefined && rootOf(receiver) !== inside)
    throw new CelFault(`a loop inside a loop may only walk a part of "${inside}"`, node);
  checkLoops(receiver, inside);
  checkLoops(args, variable ?? inside);
}

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value;

function rootOf(node: ASTNode): string | undefined {
  if (node.op === 'id') return node.args;
  return node.op === '.' || node.op === '[]' ? rootOf(node.args[0]) : undefined;
}

/** The JSON form of a CEL value. */
function plain(value: unknown): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value)))
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
  throw new CelFault(
    'the result has to be text, a finite number up to 2^53, true, false, null, a list or a map',
  );
}

/** An error of ours in the shape of the library's, whose `range` is an offset into the expression. */
class CelFault extends Error {
  readonly range: { readonly start: number } | undefined;

  constructor(message: string, at?: { readonly start: number }) {
    super(message);
    this.range = at;
  }
}

function refusal(expression: string, error: unknown): Refusal {
  if (error instanceof RangeError)
    return refusal(
      expression,
      new CelFault(error instanceof WorkExceeded ? error.message : 'it is nested too deeply'),
    );
  const { summary, message, range } = error as {
    summary?: string;
    message: string;
    range?: { start: number };
  };
  const where = range === undefined ? '' : ` at character ${range.start + 1}`;
  return new Refusal('invalid_argument', `CEL${where}: ${summary ?? message} (in: ${expression})`, {
    cause: error,
  });
}
