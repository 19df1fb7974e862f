/** What one evaluation may spend. A unit is about ten nanoseconds, so all of it is a tenth of a second. */
const BUDGET = 10_000_000;
const OPERATION = 25;
const TURN = 50;
/** An error takes microseconds to make, and `exists` and `all` go on after one. */
const ERROR = 1_000;
const NODE = 15;
const KEY = 100;
/** The library makes a type for each shape of nested lists and maps, and keeps it. */
const MAX_SHAPE = 16;
/** Their native search may compare every character of one text with every character of the other. */
const SEARCHES = new Set(['contains', 'indexOf', 'lastIndexOf', 'split']);

/** A node of the library's syntax tree; `handle` does its work, on operands that are already evaluated. */
interface Operation {
  readonly op: string;
  readonly args: unknown;
  readonly meta: { readonly alternate?: unknown };
  handle?: (...given: unknown[]) => unknown;
}

/** What the library makes of a loop. `exists` and `all` have a condition, asked before each turn. */
interface Loop {
  condition?: (accumulated: unknown) => unknown;
  readonly step: Operation;
}

/**
 * Counts the work of an evaluation before it is done. Values come from strangers, and a size that is harmless once is
 * not when a loop, a search or a comparison multiplies it with another.
 */
export class Meter {
  #left = BUDGET;

  /** Begins another evaluation. */
  reset(): void {
    this.#left = BUDGET;
  }

  /** @throws RangeError once the budget is spent, and from then on. */
  spend(units: number): void {
    this.#left -= units;
    this.check();
  }

  /** To be asked at the end too: CEL's `||` and `exists` pass over errors. @throws RangeError */
  check(): void {
    if (this.#left < 0) throw new WorkExceeded('it takes too much work on values of this size');
  }

  /** The whole of a value: each text's characters, each entry of a list or map. */
  whole(value: unknown): void {
    this.spend(NODE + textLength(value));
    if (Array.isArray(value)) for (const each of value) this.whole(each);
    else if (isMap(value))
      for (const [key, each] of Object.entries(value)) {
        this.spend(key.length);
        this.whole(each);
      }
  }

  /** Makes a checked tree pay for its operations, loops included. */
  attach(node: unknown, seen = new Set<unknown>()): void {
    if (typeof node !== 'object' || node === null || seen.has(node)) return;
    seen.add(node);
    if (Array.isArray(node)) for (const each of node) this.attach(each, seen);
    if (!isOperation(node)) return;
    const loop = node.op === 'comprehension';
    this.attach(loop ? Object.values(node.args as object) : node.args, seen);
    this.attach(node.meta.alternate, seen);
    wrap(node, (work, given) => {
      this.#operation(node, given);
      try {
        return work();
      } catch (error) {
        this.spend(ERROR);
        throw error;
      }
    });
    if (loop) this.#attachTurns(node.args as Loop);
  }

  /** A turn pays for an error in advance and is paid back once its predicate has come to a result. */
  #attachTurns(loop: Loop): void {
    const { condition, step } = loop;
    if (condition === undefined) return;
    loop.condition = (accumulated) => {
      this.spend(ERROR);
      return condition(accumulated);
    };
    wrap(step, (work) => {
      this.#left += ERROR;
      return work();
    });
  }

  #operation({ op, args }: Operation, given: readonly unknown[]): void {
    this.spend(OPERATION);
    if (op === 'comprehension') return this.spend(TURN * entries(given[0]));
    if (op === 'call' || op === 'rcall')
      return this.#call((args as readonly string[])[0] ?? '', given[0] as readonly unknown[]);
    if (['.', '.?', '[]', '[?]', '?:'].includes(op)) return;
    this.#shape(given[0]);
    this.#shape(given[1]);
    this.#compare(op, given[0], given[1]);
  }

  #call(name: string, operands: readonly unknown[]): void {
    const [first, second] = operands;
    const length = textLength(first);
    for (const operand of operands) {
      this.#shape(operand);
      this.spend(textLength(operand));
    }
    if (SEARCHES.has(name)) this.spend((length * textLength(second)) / 16);
    // Backtracks, in the cube of the digits.
    if (name === 'duration') this.spend(length ** 3 / 10);
    if (name !== 'join' || !Array.isArray(first)) return;
    this.whole(first);
    this.spend(first.length * textLength(second));
  }

  #compare(op: string, left: unknown, right: unknown): void {
    if (op === '+') return this.spend(extent(left) + extent(right));
    if (typeof left !== 'object' && op !== 'in')
      return this.spend(Math.min(textLength(left), textLength(right)));
    if (op !== 'in' && typeof right !== 'object') return;
    if (op !== 'in') this.whole(right);
    // Each element may be compared with all of it.
    const times = op === 'in' && Array.isArray(right) ? right.length : 1;
    const before = this.#left;
    this.whole(left);
    this.spend((before - this.#left) * times);
  }

  /** What the library looks at to tell an operand's type: the first of the first of the first. */
  #shape(operand: unknown): void {
    let at = operand;
    for (let depth = 0; Array.isArray(at) || isMap(at); depth++) {
      if (depth === MAX_SHAPE) this.spend(Infinity);
      this.spend(KEY * (Array.isArray(at) ? 1 : entries(at)));
      at = Array.isArray(at) ? at[0] : firstOf(at);
    }
  }
}

/** A RangeError is what the engine throws too when a text gets too long or the stack too deep. */
export class WorkExceeded extends RangeError {}

function wrap(node: Operation, around: (work: () => unknown, given: readonly unknown[]) => unknown): void {
  const { handle } = node;
  if (handle !== undefined) node.handle = (...given) => around(() => handle(...given), given);
}

const isOperation = (value: object): value is Operation => 'op' in value && 'meta' in value;

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value));

const textLength = (value: unknown): number =>
  typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;

const extent = (value: unknown): number => (Array.isArray(value) ? value.length : textLength(value));

function entries(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return isMap(value) ? Object.keys(value).length : 0;
}

function firstOf(map: Readonly<Record<string, unknown>>): unknown {
  for (const key in map) return map[key];
  return undefined;
}
