import { isObject, type JsonObject } from '../domain/json.ts';
import { SELF } from '../domain/runbook.ts';
import type { Path, Report } from './problem.ts';

/** A text with placeholders, and where it stands in the file. */
export interface Template {
  readonly text: string;
  readonly path: Path;
  /** It is an outgoing URL, which may begin with `${self}`. */
  readonly url?: boolean;
}

const PLACEHOLDER = /\$\{([^}]*)\}?/g;
const ENV = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;
const FILE = /^file:(\/[^}\0]+)$/;
const ARG = /^args\.([A-Za-z_][A-Za-z0-9_-]*)$/;
/** Names of the environment variables that the templates ask for. */
export function environmentNames(templates: readonly Template[]): string[] {
  return templates.flatMap(({ text }) =>
    Array.from(text.matchAll(PLACEHOLDER)).flatMap(([, inner = '']) => ENV.exec(inner)?.[1] ?? []),
  );
}

/** Paths of the files that the templates ask for. */
export function fileNames(templates: readonly Template[]): string[] {
  return templates.flatMap(({ text }) =>
    Array.from(text.matchAll(PLACEHOLDER)).flatMap(([, inner = '']) => FILE.exec(inner)?.[1] ?? []),
  );
}

/** The variable's name when the text is `${env:NAME}` and nothing else. */
export function environmentReference(text: string): string | undefined {
  return /^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text)?.[1];
}

/** Each placeholder must be `${env:NAME}`, `${file:/path}`, or `${args.name}` of an argument that always has a value; `${self}` begins a URL. */
export function checkTemplates(
  templates: readonly Template[],
  args: JsonObject | undefined,
  report: Report,
): void {
  for (const { text, path, url = false } of templates)
    for (const { 0: whole, 1: inner = '', index } of text.matchAll(PLACEHOLDER)) {
      const argument = ARG.exec(inner)?.[1];
      if (url && whole === SELF && index === 0) continue;
      if (whole === SELF)
        report(
          'SBX016',
          path,
          '${self} is this server’s address, and only a URL may begin with it.',
          'Write the value out.',
        );
      else if (!whole.endsWith('}') || (argument === undefined && !ENV.test(inner) && !FILE.test(inner)))
        report(
          'SBX016',
          path,
          `"${whole}" is not a placeholder.`,
          'Write ${args.name}, ${env:NAME} or ${file:/path}.',
        );
      else if (argument !== undefined) checkArgument(argument, args, path, report);
    }
}

/** Whether the argument is declared and always has a value. */
export function checkArgument(name: string, args: JsonObject | undefined, path: Path, report: Report): void {
  if (args === undefined) {
    report('SBX016', path, `A probe has no arguments to fill \${args.${name}} from.`, 'Write the value out.');
    return;
  }
  const properties = asObject(args['properties']);
  if (!Object.hasOwn(properties, name)) {
    const mend = `Declare it under args.properties: ${Object.keys(properties).join(', ') || 'none'} so far.`;
    report('SBX016', path, `"${name}" is not a declared argument.`, mend);
    return;
  }
  const required = Array.isArray(args['required']) && args['required'].includes(name);
  if (!required && !Object.hasOwn(asObject(properties[name]), 'default'))
    report(
      'SBX016',
      path,
      `"${name}" may be left out, and then nothing fills it.`,
      `Add it to args.required.`,
    );
}

const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {});
