import type { z } from 'zod';
import { clip } from '../../domain/clip.ts';
import { Refusal, type RefusalDetails } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import type { Field, Spec } from './fields.ts';
import { nearest, oneOf } from './nearest.ts';
import { Unfit } from './values.ts';

type Issue = z.core.$ZodIssue;

/** An argument refusal: what was wrong, and the command's first example. */
export function wrong(
  spec: Spec,
  message: string,
  details: Pick<RefusalDetails, 'argument' | 'unfilled'> = {},
): Refusal {
  return new Refusal('invalid_argument', `${message} Example: ${spec.command.examples[0].text}`, details);
}

/** The same, of one argument. */
export const wrongAt = (spec: Spec, name: string, problem: string): Refusal =>
  wrong(spec, problem, { argument: { name, problem } });

/** `priority: expected P0, P1 or P2, got "P9".` Errors other than `Unfit` are passed on as they are. */
export function unfit(spec: Spec, field: Field, error: unknown, value: Json): Error {
  if (error instanceof Unfit)
    return wrongAt(spec, field.name, `${field.name}: expected ${error.expected}, got ${shown(value)}.`);
  return error instanceof Error ? error : new Error(String(error));
}

/** A name that the command does not have; `prefix` is `--` where it was typed as a flag. */
export function unknownArgument(spec: Spec, name: string, prefix: '' | '--'): Refusal {
  const names = spec.fields.map((field) => (prefix ? field.flag : field.name));
  const near = nearest(name, names, 2).map((n) => prefix + n);
  const hint = near.length
    ? `; did you mean ${oneOf(near)}?`
    : names.length
      ? `; it takes ${oneOf(
          names.map((n) => prefix + n),
          'and',
        )}.`
      : '; it takes no arguments.';
  return wrong(spec, `${spec.words} has no argument ${prefix}${clip(name, 40)}${hint}`);
}

/** One line for what the schema found: all that is missing, or else the first thing that is wrong. */
export function explain(spec: Spec, args: JsonObject, issues: readonly Issue[]): Refusal {
  const missing = spec.fields.filter(
    (field) =>
      field.required && args[field.name] === undefined && issues.some((i) => i.path[0] === field.name),
  );
  const [first] = missing;
  if (first) {
    const problem = missingLine(spec, missing);
    const unfilled = { command: spec.command.name, args };
    return wrong(spec, problem, { argument: { name: first.name, problem }, unfilled });
  }
  const [issue] = issues;
  if (!issue) return wrong(spec, `The arguments of ${spec.words} do not fit.`);
  const field = spec.byName.get(String(issue.path[0]));
  const path = issue.path.map(String).join('.') || spec.words;
  const expected = expectation(issue, field);
  const problem =
    expected === undefined
      ? sentence(issue.message)
      : `expected ${expected}, got ${shown(valueAt(args, issue.path))}.`;
  return field ? wrongAt(spec, field.name, `${path}: ${problem}`) : wrong(spec, `${path}: ${problem}`);
}

function missingLine(spec: Spec, missing: readonly Field[]): string {
  const names = missing.map((f) =>
    f.description ? `${f.name} (${f.description.replace(/\.$/, '')})` : f.name,
  );
  return `${spec.words} needs ${oneOf(names, 'and')}.`;
}

function expectation(issue: Issue, field: Field | undefined): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return oneOf(issue.values.map(String));
    case 'too_small':
      return limit('at least', issue.minimum, issue.origin, field);
    case 'too_big':
      return limit('at most', issue.maximum, issue.origin, field);
    case 'invalid_format':
      return FORMATS[issue.format];
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`;
    default:
      return undefined;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};
const FORMATS: Readonly<Record<string, string>> = {
  email: 'an email address',
  url: 'a URL',
  datetime: 'an instant such as 2026-11-20T09:00:00Z',
  date: 'a date such as 2026-11-20',
  uuid: 'a UUID',
};
const UNITS: Readonly<Record<string, string>> = { string: 'character', array: 'item', set: 'item' };

function limit(words: string, bound: number | bigint, origin: string, field: Field | undefined): string {
  const unit = UNITS[origin] ?? (field?.kind === 'duration' ? 'millisecond' : '');
  return `${words} ${bound}${unit ? ` ${unit}${Number(bound) === 1 ? '' : 's'}` : ''}`;
}

function valueAt(args: JsonObject, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value !== null && typeof value === 'object' ? Reflect.get(value, key) : undefined),
    args,
  );
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** A value as the sender wrote it, short enough for one line. */
function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return clip(text, 60);
}
