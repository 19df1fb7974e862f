import { z } from 'zod';
import type { Json } from '../../domain/json.ts';
import type { Command } from '../command.ts';

/** What a field's `.meta({ kind })` says beyond its type; see docs/language.md. */
type Kind = 'principal' | 'ref' | 'date' | 'duration' | 'json' | 'command';

/** One argument of a command, as the language needs it. */
export interface Field {
  readonly name: string;
  /** `dependsOn` → `depends-on`. */
  readonly flag: string;
  readonly type: 'string' | 'number' | 'boolean' | 'list' | 'json' | 'any';
  readonly kind: Kind | undefined;
  /** Of an enumeration: each value under its lower-case form. */
  readonly values: ReadonlyMap<string, string> | undefined;
  readonly item: Field | undefined;
  readonly required: boolean;
  readonly nullable: boolean;
  readonly default: Json | undefined;
  readonly description: string;
  /** An object that takes the flags the command itself does not know. */
  readonly rest: boolean;
  /** A calendar day (`YYYY-MM-DD`) instead of an instant. */
  readonly dayOnly: boolean;
  /** A day without a time means its last second (`meta({ kind: 'date', day: 'end' })`), for deadlines. */
  readonly dayEnd: boolean;
  /** Text of several lines is to be expected (`meta({ multiline: true })`). */
  readonly multiline: boolean;
  /** Characters at most, of a text. */
  readonly maxLength: number | undefined;
  /** Of a number. */
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly whole: boolean;
}

/** A command with all that reading and writing it takes, worked out once. */
export interface Spec {
  readonly command: Command;
  /** As it is typed: `task create`. */
  readonly words: string;
  readonly fields: readonly Field[];
  readonly positional: readonly Field[];
  readonly rest: Field | undefined;
  readonly dates: readonly Field[];
  /** Arguments that are commands themselves. */
  readonly nested: readonly Field[];
  readonly byName: ReadonlyMap<string, Field>;
  readonly byFlag: ReadonlyMap<string, Field>;
}

/** The part of JSON Schema (2020-12) that zod writes for an argument, with our `meta` beside it. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly Json[];
  readonly const?: Json;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly default?: Json;
  readonly description?: string;
  readonly format?: string;
  readonly kind?: Kind;
  readonly rest?: boolean;
  readonly day?: 'end';
  readonly multiline?: boolean;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

const specs = new WeakMap<Command, Spec>();

/** @throws Error when the definition contradicts itself: a mistake of the programmer, found at start. */
export function specOf(command: Command): Spec {
  let spec = specs.get(command);
  if (!spec) specs.set(command, (spec = buildSpec(command)));
  return spec;
}

function buildSpec(command: Command): Spec {
  // The JSON Schema type of zod is wider than what it writes for flat argument objects.
  const schema = z.toJSONSchema(command.args, { io: 'input', unrepresentable: 'any' }) as Schema;
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, s]) =>
    buildField(name, s, required.has(name)),
  );
  const byName = new Map(fields.map((field) => [field.name, field]));
  const positional = (command.positional ?? []).map((name) => {
    const field = byName.get(name);
    if (!field) throw new Error(`${command.name}: the positional argument ${name} is not in its schema`);
    return field;
  });
  if (positional.slice(0, -1).some((field) => field.type === 'list'))
    throw new Error(`${command.name}: only the last positional argument may be a list`);
  return {
    command,
    words: command.name.replaceAll('.', ' '),
    fields,
    positional,
    rest: fields.find((field) => field.rest),
    dates: fields.filter((field) => (field.item ?? field).kind === 'date'),
    nested: fields.filter((field) => field.kind === 'command'),
    byName,
    byFlag: flagMap(command, fields),
  };
}

function flagMap(command: Command, fields: readonly Field[]): Map<string, Field> {
  const map = new Map<string, Field>();
  for (const field of fields) {
    const key = squash(field.name);
    if (map.has(key)) throw new Error(`${command.name}: two arguments are spelled --${field.flag}`);
    map.set(key, field);
  }
  for (const field of fields) {
    const one = squash(field.name).slice(0, -1);
    if (field.type === 'list' && /s$/i.test(field.name) && !map.has(one)) map.set(one, field);
  }
  return map;
}

/** `--depends-on`, `--dependsOn` and `--depends_on` are one flag. */
export const squash = (name: string): string => name.toLowerCase().replace(/[-_]/g, '');

/** The argument that a flag names; for a list called `labels`, `--label` too. */
export function findFlag(spec: Spec, name: string): Field | undefined {
  return spec.byFlag.get(name) ?? spec.byFlag.get(squash(name));
}

function buildField(name: string, outer: Schema, required: boolean): Field {
  const inner = outer.anyOf?.find((s) => s.type !== 'null') ?? {};
  const schema: Schema = { ...inner, ...outer };
  const type = typeOf(schema);
  const kind =
    schema.kind ?? (type === 'string' && /^date(-time)?$/.test(schema.format ?? '') ? 'date' : undefined);
  const values =
    type === 'string'
      ? (schema.enum ?? (schema.const === undefined ? undefined : [schema.const]))
      : undefined;
  return {
    name,
    flag: name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`),
    type: kind === 'json' && type !== 'string' ? 'json' : type,
    kind,
    values: values && new Map(values.filter((v) => typeof v === 'string').map((v) => [v.toLowerCase(), v])),
    item: type === 'list' && kind !== 'json' ? buildField(name, schema.items ?? {}, true) : undefined,
    required,
    nullable: hasNull(outer),
    default: schema.default,
    description: schema.description ?? '',
    rest: schema.rest === true,
    dayOnly: schema.format === 'date',
    dayEnd: schema.day === 'end',
    multiline: schema.multiline === true,
    maxLength: schema.maxLength,
    minimum: bound(schema.minimum),
    maximum: bound(schema.maximum),
    whole: schema.type === 'integer',
  };
}

/** Every whole number of zod's is bounded by what JavaScript counts to, which is no bound that anybody set. */
const bound = (value: number | undefined): number | undefined =>
  value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;

const TYPES: Readonly<Record<string, Field['type']>> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  array: 'list',
  object: 'json',
};

function typeOf(schema: Schema): Field['type'] {
  const types = [schema.type ?? []].flat().filter((t) => t !== 'null');
  const several = schema.anyOf !== undefined && schema.anyOf.filter((s) => s.type !== 'null').length > 1;
  return several || types.length !== 1 ? 'any' : (TYPES[types[0] ?? ''] ?? 'any');
}

function hasNull(schema: Schema): boolean {
  return [schema.type ?? []].flat().includes('null') || (schema.anyOf?.some(hasNull) ?? false);
}
