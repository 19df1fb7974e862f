import { Refusal } from './errors.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { REDACTED } from './redact.ts';

/** A placeholder in the arguments of a step: `${args.service}`, `${steps.build.body.id}`, `${steps.list.items.0}`. */
export interface Reference {
  /** As it is written, braces included. */
  readonly text: string;
  /** Undefined for what is no placeholder that a step may hold. */
  readonly path: readonly ['args' | 'steps', string, ...string[]] | undefined;
  /** It is all of the value, which then keeps the JSON type of what fills it. */
  readonly whole: boolean;
}

const PART = /\$\{([^}]*)\}?/g;
const PATH = /^(?:args|steps)(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)+$/;

/** The placeholders of one text, in order. */
export function referencesIn(text: string): Reference[] {
  return Array.from(text.matchAll(PART), ([found, inner = '']) => ({
    text: found,
    path:
      found.endsWith('}') && PATH.test(inner)
        ? (inner.split('.') as unknown as Reference['path'])
        : undefined,
    whole: found === text,
  }));
}

/** What placeholders are filled from. */
export interface Values {
  readonly args: JsonObject;
  /** By step: what it returned. */
  readonly steps: JsonObject;
}

/**
 * The arguments of a step with their placeholders filled. What is filled in is never read for placeholders again.
 * @throws Refusal `invalid_argument` naming a placeholder that has no value, or whose value was not kept.
 */
export function fillArgs(args: JsonObject, values: Values): JsonObject {
  return fill(args, values) as JsonObject;
}

function fill(value: Json, values: Values): Json {
  if (typeof value === 'string') return fillText(value, values);
  if (Array.isArray(value)) return value.map((item: Json) => fill(item, values));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item, values)]));
}

function fillText(text: string, values: Values): Json {
  const found = referencesIn(text);
  const [first] = found;
  if (first?.whole) return lookUp(first, values);
  let at = 0;
  return text.replace(PART, () => {
    const reference = found[at++];
    const filled = reference === undefined ? null : lookUp(reference, values);
    return typeof filled === 'string' ? filled : JSON.stringify(filled);
  });
}

function lookUp({ text, path }: Reference, values: Values): Json {
  let at: Json | undefined = path === undefined ? undefined : (values as unknown as JsonObject);
  for (const key of path ?? []) {
    const inside: boolean = typeof at === 'object' && at !== null && Object.hasOwn(at, key);
    at = inside ? (at as JsonObject)[key] : undefined;
  }
  if (at === undefined) throw new Refusal('invalid_argument', `${text} has no value.`);
  if (path?.[0] === 'steps' && JSON.stringify(at).includes(REDACTED))
    throw new Refusal('invalid_argument', `${text} holds what looks like a secret, which is not handed on.`);
  return at;
}
