import { z } from 'zod';
import { EXAMPLES, plain } from './plain.ts';
import { dotted, type Code, type Path, type Report } from './problem.ts';
import { isName, NAME_RULE } from './shape.ts';
import { suggest } from './suggest.ts';

/** Which code a missing key gets, by its name; SBX005 unless told. */
export type MissingCode = (key: string) => Code;

/**
 * Reads `value` in the shape of `schema`; what does not fit is reported with its path, all at once.
 * Returns undefined when anything was reported.
 */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: Path,
  report: Report,
  missing: MissingCode = () => 'SBX005',
): z.output<S> | undefined {
  const result = schema.safeParse(value, { error: plain });
  if (result.success) return result.data;
  for (const issue of result.error.issues) reportIssue(issue, schema, value, path, report, missing);
  return undefined;
}

export interface EntryOptions<S extends z.ZodType> {
  readonly missing?: MissingCode;
  /** Told of an entry that does not fit what does, so that this can be judged all the same. */
  readonly partly?: (name: string, part: Partial<z.output<S>>) => void;
}

/** Reads each entry of a section (a map by name) on its own, so that one broken entry does not hide the next. */
export function entries<S extends z.ZodType>(
  schema: S,
  section: unknown,
  path: Path,
  report: Report,
  { missing, partly }: EntryOptions<S> = {},
): Map<string, z.output<S>> {
  const read = new Map<string, z.output<S>>();
  const raw = parse(
    z.record(z.string(), z.unknown(), { error: 'expected a map by name' }),
    section ?? {},
    path,
    report,
  );
  for (const [name, value] of Object.entries(raw ?? {})) {
    const at = [...path, name];
    if (!isName(name)) report('SBX006', at, `"${name}" is not a name.`, `Use ${NAME_RULE}.`);
    const entry = parse(schema, value, at, report, missing);
    if (entry !== undefined) read.set(name, entry);
    else partly?.(name, rightParts(schema, value));
  }
  return read;
}

/** The fields of a broken entry that are right by themselves, once the keys that nobody knows are taken out. */
function rightParts<S extends z.ZodType>(schema: S, value: unknown): Partial<z.output<S>> {
  if (!(schema instanceof z.ZodObject)) return {};
  const known = structuredClone(value);
  for (const issue of schema.safeParse(value).error?.issues ?? []) {
    const at = lookUp(known, issue.path);
    if (issue.code === 'unrecognized_keys' && typeof at === 'object' && at !== null)
      for (const key of issue.keys) Reflect.deleteProperty(at, key);
  }
  const right = Object.entries(schema.shape).flatMap(([key, field]: [string, z.ZodType]) => {
    const read = field.safeParse(lookUp(known, [key]));
    return read.success ? [[key, read.data] as const] : [];
  });
  return Object.fromEntries(right) as Partial<z.output<S>>;
}

function reportIssue(
  issue: z.core.$ZodIssue,
  schema: z.ZodType,
  value: unknown,
  base: Path,
  report: Report,
  missing: MissingCode,
): void {
  const path = [...base, ...issue.path];
  const where = dotted(path);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, value, issue.path);
    for (const key of issue.keys) {
      const mend = suggest(key, known, `Known here: ${known.join(', ')}.`);
      report('SBX004', [...path, key], `${where || 'the file'}: unknown key "${key}".`, mend);
    }
  } else if (issue.path.length > 0 && lookUp(value, issue.path) === undefined) {
    const key = String(issue.path.at(-1));
    const example = EXAMPLES[key];
    const mend =
      example === undefined ? `Add "${key}": ${issue.message}.` : `Add it, such as ${key}: ${example}`;
    report(missing(key), path, `${where} is missing.`, mend);
  } else {
    report(
      'SBX006',
      path,
      `${where || 'the file'}: ${issue.message}.`,
      'Write a value of the expected kind.',
    );
  }
}

function lookUp(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? Reflect.get(inner, key)
        : undefined,
    value,
  );
}

/** The keys that the schema knows at `path`, with unions decided by the value's `kind`. */
function knownKeys(schema: z.ZodType, value: unknown, path: Path): string[] {
  let inner = unwrap(schema, value);
  let at = value;
  for (const key of path) {
    at = lookUp(at, [key]);
    if (inner instanceof z.ZodObject) inner = unwrap(inner.shape[String(key)] as z.ZodType, at);
    else if (inner instanceof z.ZodArray) inner = unwrap(inner.element as z.ZodType, at);
    else if (inner instanceof z.ZodRecord) inner = unwrap(inner.valueType as z.ZodType, at);
  }
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function unwrap(schema: z.ZodType, value: unknown): z.ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return unwrap(schema.unwrap() as z.ZodType, value);
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const kind = lookUp(value, ['kind']);
    const option = schema.options.find((each) => each instanceof z.ZodObject && isKind(each, kind));
    return (option as z.ZodType | undefined) ?? schema;
  }
  return schema;
}

function isKind(option: z.ZodObject, kind: unknown): boolean {
  const literal: unknown = option.shape['kind'];
  return literal instanceof z.ZodLiteral && literal.values.has(kind as string);
}
