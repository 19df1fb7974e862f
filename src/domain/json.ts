import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { Refusal } from './errors.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Whether parsed JSON is an object: neither null nor a list. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Deeper nesting than anything needs is refused, so that whatever follows may recurse. */
const MOST_LEVELS = 64;

/**
 * Shows `see` each member and item of parsed JSON, without recursion: the text chooses the depth.
 * @throws Refusal `malformed` for one that is nested more than 64 levels deep.
 */
export function walkJson(root: unknown, see: (name: string, value: unknown, parent: object) => void): void {
  let level = isNode(root) ? [root] : [];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= MOST_LEVELS)
      throw new Refusal('malformed', `This JSON is nested more than ${MOST_LEVELS} levels deep.`);
    const next: object[] = [];
    for (const node of level)
      for (const [name, value] of Object.entries(node)) {
        see(name, value, node);
        if (isNode(value)) next.push(value);
      }
    level = next;
  }
}

const isNode = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** What a text says as JSON; undefined where it is none, or nested more than 64 levels deep. */
export function jsonOf(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json;
    walkJson(value, () => undefined);
    return value;
  } catch {
    return undefined;
  }
}

/**
 * The RFC 8785 (JCS) form of a value: what digests, ETags and the journal are computed over.
 * @throws Refusal `invalid_argument` for what JSON cannot carry: lone surrogates, NaN, cycles.
 */
export function canonical(value: unknown): string {
  try {
    const text = canonicalize(value);
    if (text === undefined) throw new TypeError('not a JSON value');
    return text;
  } catch (cause) {
    throw new Refusal(
      'invalid_argument',
      'This is not valid JSON text: use well-formed Unicode and finite numbers.',
      {
        cause,
      },
    );
  }
}

/** SHA-256 of text (as UTF-8), in lower-case hex. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** The digest that votes, receipts and idempotency keys bind to: SHA-256 over the RFC 8785 form. */
export function digest(value: unknown): string {
  return sha256(canonical(value));
}
