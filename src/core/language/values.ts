import { DAY, HOUR, MINUTE, SECOND } from '../../domain/clock.ts';
import { Refusal } from '../../domain/errors.ts';
import type { Json } from '../../domain/json.ts';
import type { Field } from './fields.ts';
import { oneOf } from './nearest.ts';
import { CONTROL } from './tokenize.ts';

/** Why a value does not do: what was expected instead. The reader adds argument and example. */
export class Unfit extends Error {
  readonly expected: string;

  constructor(expected: string) {
    super(expected);
    this.expected = expected;
  }
}

const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i;
const DURATION = /^(\d+(?:\.\d+)?)\s?(ms|s|m|h|d|w)$/i;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };
/** The ids that we hand out; imported ones are kept as they are. */
const OWN_REF = /^[a-z]{3}-\d+$/i;
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['no', false],
  ['off', false],
]);

/** Milliseconds of `30s`, `5m`, `2h`, `1d`, `1w`, `250ms`; undefined for anything else. */
function duration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match ? Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? Number.NaN) : undefined;
}

/** The reverse of `duration`, in the largest unit without a fraction. */
export function durationText(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find((u) => ms % (UNITS[u] ?? 1) === 0) ?? 'ms';
  return `${ms / (UNITS[unit] ?? 1)}${unit}`;
}

/** The value that typed text stands for. Lists are put together by the caller, item by item. @throws Unfit */
export function fromText(field: Field, text: string): Json {
  switch (field.type) {
    case 'number':
      if (field.kind === 'duration') return settle(field, text);
      if (!NUMBER.test(text) || !Number.isFinite(Number(text))) throw new Unfit('a number');
      return Number(text);
    case 'boolean': {
      if (text === 'null' && field.nullable) return null;
      const value = BOOLEANS.get(text.toLowerCase());
      if (value === undefined) throw new Unfit('true or false');
      return value;
    }
    case 'json':
      return fromJson(text);
    default:
      return settle(field, text);
  }
}

/** @throws Unfit for text that is no JSON, and Refusal for what arguments may not carry. */
export function fromJson(text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw new Unfit('JSON');
  }
  checkJson(value);
  return value;
}

/** A value in its canonical form: `p0` → `P0`, `@ana` → `ana`, `tsk-12` → `TSK-12`, `5m` → 300000. @throws Unfit */
export function settle(field: Field, value: Json): Json {
  if (field.item && Array.isArray(value)) {
    const { item } = field;
    return value.map((v: Json) => settle(item, v));
  }
  if (typeof value !== 'string') return value;
  if (field.values) {
    const known = field.values.get(value.toLowerCase());
    if (known === undefined) throw new Unfit(oneOf([...field.values.values()]));
    return known;
  }
  if (field.kind === undefined) return value;
  if (field.kind === 'principal') return value.replace(/^@+/, '');
  if (field.kind === 'ref') return OWN_REF.test(value) ? value.toUpperCase() : value;
  if (field.kind === 'duration' && field.type === 'number') {
    const ms = duration(value);
    if (ms === undefined || !Number.isFinite(ms)) throw new Unfit('a duration such as 30s, 5m, 2h or 1d');
    return ms;
  }
  return value;
}

/**
 * What a flag of a runbook means, whose schema is not known here: JSON where it is a number in its shortest form, true,
 * false, an array or an object; otherwise the text itself (`007`, `1.0` and `v2` stay text).
 */
export function loose(text: string): Json {
  if (text === 'true' || text === 'false') return text === 'true';
  const first = text.charAt(0);
  if (first === '[' || first === '{') {
    try {
      return fromJson(text);
    } catch (error) {
      if (error instanceof Unfit) return text;
      throw error;
    }
  }
  return NUMBER.test(text) && JSON.stringify(Number(text)) === text ? Number(text) : text;
}

const MAX_DEPTH = 32;

/**
 * Arguments hold what every store, digest and channel can carry.
 * @throws Refusal `invalid_argument` for lone surrogates, control characters, numbers JSON lacks, `__proto__`, depth.
 */
export function checkJson(value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH) throw unfit(`nested deeper than ${MAX_DEPTH} levels`);
  if (typeof value === 'string') return checkString(value);
  if (value === null || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw unfit('a number that JSON does not have');
    return;
  }
  if (typeof value !== 'object') throw unfit(`a ${typeof value}, which JSON does not have`);
  for (const [key, member] of Object.entries(value)) {
    if (key === '__proto__') throw unfit('the key __proto__');
    checkString(key);
    checkJson(member, depth + 1);
  }
}

function checkString(text: string): void {
  if (!text.isWellFormed()) throw unfit('text that is not well-formed Unicode');
  if (CONTROL.test(text)) throw unfit('control characters');
}

const unfit = (what: string): Refusal =>
  new Refusal('invalid_argument', `The arguments hold ${what}; leave it out.`);
