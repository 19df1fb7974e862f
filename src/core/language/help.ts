import type { Command } from '../command.ts';
import { specOf, type Field, type Spec } from './fields.ts';
import { durationText } from './values.ts';

/**
 * Everything about one command: how it is typed, what it does, each argument with its type and default, examples.
 * Plain text, one line per fact.
 */
export function helpFor(command: Command): string {
  const spec = specOf(command);
  const lines = [usage(spec), command.summary];
  if (command.aliases?.length)
    lines.push(`Also: ${command.aliases.map((a) => a.replaceAll('.', ' ')).join(', ')}`);
  if (spec.fields.length > 0) {
    const labels = spec.fields.map((field) => label(spec, field));
    const width = Math.max(...labels.map((l) => l.length));
    lines.push(
      '',
      ...spec.fields.map((field, i) => `  ${(labels[i] ?? '').padEnd(width)}  ${describe(field)}`),
    );
  }
  lines.push('', command.examples.length > 1 ? 'Examples:' : 'Example:');
  for (const example of command.examples) {
    lines.push(`  ${example.text}`);
    if (example.says) lines.push(`  in plain words: ${example.says}`);
  }
  return lines.join('\n');
}

/** One line per noun with its verbs; for the commands of a single noun, one line each with its summary. */
export function overview(commands: readonly Command[]): string {
  const nouns = Map.groupBy(commands, (command) => (command.name.includes('.') ? nounOf(command) : ''));
  if (nouns.size === 1 || commands.length <= 1) return summaries(commands);
  const width = Math.max(...[...nouns.keys()].map((noun) => noun.length));
  const lines = [...nouns]
    .filter(([noun]) => noun !== '')
    .map(([noun, own]) => `${noun.padEnd(width)}  ${own.map((c) => verbOf(c)).join(', ')}`);
  const single = (nouns.get('') ?? []).map((command) => command.name);
  if (single.length > 0) lines.push(`${''.padEnd(width)}  ${single.join(', ')}`);
  return lines.join('\n');
}

function summaries(commands: readonly Command[]): string {
  const names = commands.map((command) => specOf(command).words);
  const width = Math.max(0, ...names.map((name) => name.length));
  return commands.map((command, i) => `${(names[i] ?? '').padEnd(width)}  ${command.summary}`).join('\n');
}

const nounOf = (command: Command): string => command.name.slice(0, command.name.indexOf('.'));
const verbOf = (command: Command): string =>
  command.name.slice(nounOf(command).length + 1).replaceAll('.', ' ');

function usage(spec: Spec): string {
  const words = spec.positional.map((field) => {
    const name = `${field.name.toUpperCase()}${field.type === 'list' ? '…' : ''}`;
    return field.required ? name : `[${name}]`;
  });
  const flags = spec.fields
    .filter((field) => !spec.positional.includes(field))
    .map((field) => {
      const typed = field.rest ? '--NAME VALUE…' : flagUsage(field);
      return field.required ? typed : `[${typed}]`;
    });
  return [spec.words, ...words, ...flags].join(' ');
}

function flagUsage(field: Field): string {
  const value = field.type === 'boolean' ? '' : ` ${valueName(field.item ?? field)}`;
  return `--${field.flag}${value}${field.type === 'list' ? '…' : ''}`;
}

function valueName(field: Field): string {
  if (field.values) return [...field.values.values()].join('|');
  const names = {
    principal: 'NAME',
    ref: 'ID',
    date: 'DATE',
    duration: 'DURATION',
    json: 'JSON',
    command: 'COMMAND',
  } as const;
  if (field.kind) return names[field.kind];
  return field.type === 'number' ? 'NUMBER' : field.type === 'json' ? 'JSON' : 'TEXT';
}

function label(spec: Spec, field: Field): string {
  if (spec.positional.includes(field)) return field.name.toUpperCase();
  return field.rest ? '--NAME VALUE' : `--${field.flag}`;
}

function describe(field: Field): string {
  const text = field.description.replace(/\.$/, '');
  const facts = [text, typeText(field), field.required ? 'required' : defaultText(field)].filter(
    (f) => f !== '',
  );
  return `${facts.join('; ')}.`;
}

function typeText(field: Field): string {
  if (field.type === 'list')
    return `${typeText(field.item ?? { ...field, type: 'any' })}, as often as needed`;
  if (field.rest) return 'each as a flag of its own';
  if (field.values) return [...field.values.values()].join(' | ');
  if (field.kind) return KIND_TEXT[field.kind];
  return TYPE_TEXT[field.type];
}

const KIND_TEXT = {
  principal: 'a name',
  ref: 'an id',
  date: 'a date such as friday or 2026-11-20',
  duration: 'a duration such as 30s, 5m, 2h, 1d',
  json: 'JSON',
  command: 'a command in quotes',
} as const;
const TYPE_TEXT = {
  string: 'text',
  number: 'a number',
  boolean: 'yes or no',
  list: 'a list',
  json: 'JSON',
  any: 'text',
} as const;

function defaultText(field: Field): string {
  const value = field.default;
  if (typeof value === 'string' && value !== '') return `${value} unless given`;
  if (typeof value === 'number')
    return `${field.kind === 'duration' ? durationText(value) : value} unless given`;
  return value === true ? 'yes unless given' : '';
}
