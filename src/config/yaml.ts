import {
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from 'yaml';
import type { Document, Node } from 'yaml';
import type { Code, Path } from './problem.ts';

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlProblem extends Position {
  readonly code: Code;
  readonly message: string;
  readonly mend: string;
}

export interface YamlFile {
  /** Plain JSON-like data; null when there are problems. */
  readonly value: unknown;
  readonly problems: readonly YamlProblem[];
  /** Where the key or item at this path stands; for a missing one, the nearest thing around it. */
  readonly locate: (path: Path) => Position;
}

/** One slip early in a file can make every later line an error; more than these help nobody. */
const REPORTED = 20;

/**
 * Reads YAML 1.2 (core schema) with string keys, each once per map. Anchors, aliases, merge keys and tags are refused:
 * every value is then written where it is used, has one position, and no file can expand beyond its own size.
 */
export function readYaml(text: string): YamlFile {
  try {
    return read(text);
  } catch (error) {
    // How the parser meets nesting that exhausts the stack.
    if (!(error instanceof RangeError)) throw error;
    const start = { line: 1, column: 1 };
    const message = 'The YAML is nested too deeply.';
    const problem: YamlProblem = { code: 'SBX002', message, mend: 'Nest a few levels at most.', ...start };
    return { value: null, problems: [problem], locate: () => start };
  }
}

function read(text: string): YamlFile {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    logLevel: 'error',
  });
  const faults = [
    ...document.errors.map(({ message, pos }) => fault('SBX002', message, 'Mend the YAML here.', pos[0])),
    ...refusedNodes(document),
  ].slice(0, REPORTED);
  return {
    value: faults.length === 0 ? document.toJS({ maxAliasCount: 0 }) : null,
    problems: faults.map(({ offset, ...rest }) => ({ ...rest, ...at(offset) })),
    locate: (path) => at(offsetOf(document.contents, path)),
  };
}

const fault = (code: Code, message: string, mend: string, offset: number) => ({
  code,
  message,
  mend,
  offset,
});

function refusedNodes(document: Document): ReturnType<typeof fault>[] {
  const faults: ReturnType<typeof fault>[] = [];
  visit(document, {
    Node(_key, node) {
      const offset = node.range?.[0] ?? 0;
      const what = refusedFeature(node);
      if (what !== undefined)
        faults.push(fault('SBX003', `${what} is not allowed.`, 'Write the value out.', offset));
      if (isScalar(node) && typeof node.value === 'string' && !node.value.isWellFormed())
        faults.push(fault('SBX002', 'A lone surrogate is not text.', 'Write well-formed Unicode.', offset));
    },
  });
  return faults;
}

function refusedFeature(node: Node): string | undefined {
  if (isAlias(node)) return 'An alias';
  if (node.anchor !== undefined) return 'An anchor';
  // The parser tags plain maps and lists itself.
  const plain = isCollection(node) && /^tag:yaml\.org,2002:(map|seq)$/.test(node.tag ?? '');
  return node.tag === undefined || plain ? undefined : 'A tag';
}

function offsetOf(root: unknown, path: Path): number {
  let node = root;
  let offset = isNode(root) ? (root.range?.[0] ?? 0) : 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (!isNode(node)) break;
      offset = node.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
