import { isDeepStrictEqual } from 'node:util';
import type { Json, JsonObject } from '../../domain/json.ts';
import type { Invocation } from '../message.ts';
import { findFlag, type Field, type Spec } from './fields.ts';
import type { Names } from './names.ts';
import { quote } from './quote.ts';
import { CONTROL, tokenize } from './tokenize.ts';
import { durationText, fromText, loose } from './values.ts';

/**
 * The pattern form of an invocation in canonical form, which reads back as the same: positional words first, then flags
 * in the order of the schema, quotes only where needed, `--name:=json` for what has no plainer spelling.
 */
export function formatInvocation(names: Names, invocation: Invocation): string {
  const spec = names.find(invocation.command);
  if (!spec) return `${invocation.command.replaceAll('.', ' ')} ${JSON.stringify(invocation.args)}`;
  const words: string[] = [];
  const done = new Set<Field>();
  for (const field of spec.positional) {
    const value = invocation.args[field.name];
    const typed = value === undefined ? undefined : typedWords(field, value);
    if (!typed || typed.length === 0) break;
    words.push(...typed);
    done.add(field);
  }
  const flags = spec.fields.flatMap((field) => {
    const value = invocation.args[field.name];
    return value === undefined || done.has(field) ? [] : flagWords(spec, field, value);
  });
  return [spec.words, ...keepApart(names, spec, words), ...flags].join(' ');
}

/** A first value that would be taken for the second word of another command goes into quotes. */
function keepApart(names: Names, spec: Spec, words: readonly string[]): readonly string[] {
  const [first, ...others] = words;
  if (first === undefined) return words;
  const read = names.resolve(tokenize([spec.words, ...words].join(' ')));
  return read?.spec === spec && read.used === spec.words.split(' ').length
    ? words
    : [`"${first}"`, ...others];
}

/** A value as plain words; undefined when plain words would not read back as it. */
function typedWords(field: Field, value: Json): string[] | undefined {
  if (field.type === 'list') {
    if (!field.item || !Array.isArray(value)) return undefined;
    const { item } = field;
    const words = value.map((v: Json) => typedWord(item, v));
    return words.every((word) => word !== undefined) ? words : undefined;
  }
  const word = typedWord(field, value);
  return word === undefined ? undefined : [word];
}

function typedWord(field: Field, value: Json): string | undefined {
  const text = plain(field, value);
  if (text === undefined || CONTROL.test(text)) return undefined;
  try {
    return isDeepStrictEqual(fromText(field, text), value) ? quote(text) : undefined;
  } catch {
    return undefined;
  }
}

function plain(field: Field, value: Json): string | undefined {
  if (typeof value === 'string') return field.type === 'json' ? JSON.stringify(value) : value;
  if (typeof value === 'number' && field.kind === 'duration') return durationText(value);
  if (field.type === 'json') return JSON.stringify(value);
  return value === null || typeof value === 'object' ? undefined : String(value);
}

function flagWords(spec: Spec, field: Field, value: Json): string[] {
  const flag = `--${field.flag}`;
  if (field.type === 'boolean' && typeof value === 'boolean') return [value ? flag : `--no-${field.flag}`];
  if (isNothing(field, value) && !findFlag(spec, `no-${field.flag}`)) return [`--no-${field.flag}`];
  if (field.rest) {
    const flat = restWords(spec, value);
    if (flat) return flat;
  }
  const words = typedWords(field, value);
  if (words && words.length > 0) return words.flatMap((word) => [flag, word]);
  return [`${flag}:=${quote(JSON.stringify(value))}`];
}

/** What `--no-x` says of arguments that are neither yes nor no. */
const isNothing = (field: Field, value: Json): boolean =>
  field.type === 'list'
    ? Array.isArray(value) && value.length === 0
    : value === null && field.nullable && field.type !== 'boolean';

const SIMPLE_KEY = /^[a-z][A-Za-z0-9_-]*$/;

/** A runbook's arguments as flags of their own, where each can be one. */
function restWords(spec: Spec, value: Json): string[] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value as JsonObject);
  const flat = entries.every(
    ([key]) => SIMPLE_KEY.test(key) && !key.startsWith('no-') && !findFlag(spec, key),
  );
  if (entries.length === 0 || !flat) return undefined;
  return entries.flatMap(([key, inner]) => {
    const text = typeof inner === 'string' ? inner : JSON.stringify(inner);
    const same = !CONTROL.test(text) && isDeepStrictEqual(loose(text), inner);
    return same ? [`--${key}`, quote(text)] : [`--${key}:=${quote(JSON.stringify(inner))}`];
  });
}
