import type { Json, JsonObject } from '../domain/json.ts';
import type { Command } from './command.ts';
import { unfit } from './language/explain.ts';
import { specOf, type Field, type Spec } from './language/fields.ts';
import { durationText, fromText, loose } from './language/values.ts';

/**
 * `line` and `text` are one line and several; `list` is text, too, with one value a line or between commas; `day` is
 * `YYYY-MM-DD`, `instant` ISO 8601.
 */
type FormType = 'line' | 'text' | 'choice' | 'choices' | 'flag' | 'day' | 'instant' | 'number' | 'list';

/** What stands in a field, and what comes out of it. */
export type FormValue = string | boolean | readonly string[];

export interface FormField {
  readonly name: string;
  readonly label: string;
  /** Empty where there is nothing to say. */
  readonly hint: string;
  readonly required: boolean;
  readonly type: FormType;
  readonly initial: FormValue | undefined;
  /** Of `choice` and `choices`. */
  readonly choices: readonly string[];
  /** Characters at most, of `line` and `text`. */
  readonly maxLength: number | undefined;
  /** Of `number`. */
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly whole: boolean;
}

/** What a person fills in to run a command, in words that any channel can lay out. */
export interface Form {
  readonly command: Command;
  readonly title: string;
  /** The word for sending it: the command's verb. */
  readonly submit: string;
  /** Arguments that are settled: not asked for, and sent as they are. */
  readonly given: JsonObject;
  readonly fields: readonly FormField[];
}

export interface FormOptions {
  /** The arguments to ask for, each of them required; all that the command takes where none is named. */
  readonly asks?: readonly string[] | undefined;
  /** What is known: shown in the fields that are asked for, and settled otherwise. */
  readonly given?: JsonObject;
}

/** Characters that a field may begin with: what is longer is settled rather than shown in part. */
export const MOST_SHOWN = 3_000;

/** A form from the command's own schema. Names among `asks` that the command does not have are left out. */
export function formOf(command: Command, { asks = [], given = {} }: FormOptions = {}): Form {
  const spec = specOf(command);
  const asked = asks.length === 0 ? spec.fields : spec.fields.filter(({ name }) => asks.includes(name));
  const fields = asked
    .map((field) => toField(field, given[field.name], asks.length > 0))
    .filter(({ initial }) => typeof initial !== 'string' || initial.length <= MOST_SHOWN);
  const shown = new Set(fields.map(({ name }) => name));
  return {
    command,
    title: capital(spec.words),
    submit: capital(spec.words.split(' ').at(-1) ?? ''),
    given: Object.fromEntries(Object.entries(given).filter(([name]) => !shown.has(name))),
    fields,
  };
}

function toField(field: Field, given: Json | undefined, isAsked: boolean): FormField {
  const type = typeOf(field);
  const { name, required, maxLength, minimum, maximum, whole } = field;
  return {
    name,
    label: labelOf(name),
    hint: hintOf(field, type),
    required: required || isAsked,
    type,
    initial: initialOf(field, type, given ?? field.default),
    choices: [...((field.item ?? field).values?.values() ?? [])],
    maxLength,
    minimum,
    maximum,
    whole,
  };
}

/** `dependsOn` → `Depends on`, for people. */
export const labelOf = (name: string): string =>
  capital(name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));

function typeOf(field: Field): FormType {
  const { type, kind, item } = field;
  if (kind === 'command') return 'text';
  if (type === 'list') return item === undefined ? 'text' : item.values ? 'choices' : 'list';
  if (type === 'boolean') return 'flag';
  if (type === 'number') return kind === 'duration' ? 'line' : 'number';
  if (type !== 'string') return 'text';
  if (field.values) return 'choice';
  if (kind === 'date') return field.dayOnly ? 'day' : 'instant';
  return field.multiline ? 'text' : 'line';
}

function hintOf(field: Field, type: FormType): string {
  const text = field.description.replace(/\.$/, '');
  const how = type === 'list' ? 'one a line' : howTo(field);
  return [text, how].filter((part) => part !== '').join('; ');
}

function howTo({ kind, type }: Field): string {
  if (kind === 'duration') return 'such as 30s, 5m, 2h or 1d';
  if (kind === 'command') return 'as it is typed';
  return type === 'json' ? 'JSON' : '';
}

function initialOf(field: Field, type: FormType, value: Json | undefined): FormValue | undefined {
  if (value === undefined || value === null) return undefined;
  if (type === 'flag') return value === true;
  if (type === 'choices') return Array.isArray(value) ? (value as Json[]).map(String) : undefined;
  if (type === 'list') return Array.isArray(value) ? listText((value as Json[]).map(textOf)) : undefined;
  if (typeof value === 'number' && field.kind === 'duration') return durationText(value);
  if (type === 'text' && isEmpty(value)) return undefined;
  return textOf(value) || undefined;
}

const isEmpty = (value: Json): boolean => typeof value === 'object' && JSON.stringify(value).length === 2;

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** A single value with a comma in it keeps a line's end, by which it is known for one. */
const listText = (values: readonly string[]): string =>
  values.length === 1 && values[0]?.includes(',') ? `${values[0]}\n` : values.join('\n');

/**
 * The arguments that a filled form stands for, by name: what was settled, and what was filled in. What is empty, or as
 * it would be by itself, is left out.
 * @throws Refusal `invalid_argument` that names the argument.
 */
export function readForm(
  { command, given, fields }: Form,
  values: Readonly<Record<string, FormValue | undefined>>,
): JsonObject {
  const spec = specOf(command);
  const args: Record<string, Json> = { ...given };
  for (const { name, type, required } of fields) {
    const field = spec.byName.get(name);
    const value = field && readValue(spec, field, type, values[name]);
    if (value === undefined || (!required && value === (field?.default ?? emptyOf(type)))) continue;
    args[name] = value;
  }
  return args;
}

/** What a field stands for that nobody touched. */
const emptyOf = (type: FormType): Json | undefined => (type === 'flag' ? false : undefined);

function readValue(spec: Spec, field: Field, type: FormType, value: FormValue | undefined): Json | undefined {
  if (typeof value === 'boolean') return value;
  if (value === undefined || value.length === 0) return undefined;
  if (typeof value !== 'string') return [...value];
  const text = value.trim();
  if (text === '') return undefined;
  try {
    if (type === 'list' || type === 'choices')
      return itemsOf(value).map((item) => fromText(field.item ?? field, item));
    if (type === 'text') return textValue(field, value);
    return fromText(field, text);
  } catch (error) {
    throw unfit(spec, field, error, text);
  }
}

/** Several lines: text as it was written, or what it says where it is to be JSON. */
function textValue(field: Field, text: string): Json {
  if (field.kind === 'command') return text.trim();
  if (field.type === 'any') return loose(text.trim());
  return fromText(field.type === 'list' ? { ...field, type: 'json' } : field, text);
}

const itemsOf = (text: string): string[] =>
  text
    .split(text.includes('\n') ? '\n' : ',')
    .map((item) => item.trim())
    .filter((item) => item !== '');

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
