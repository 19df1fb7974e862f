import type { z } from 'zod';

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

const UNITS: Readonly<Record<string, string>> = { string: ' character', array: ' item' };

function amount(count: number | bigint, origin: string): string {
  const unit = UNITS[origin];
  return unit === undefined ? `${count}` : `${count}${unit}${count === 1 ? '' : 's'}`;
}

/** What was expected, in the words of the file's writer, where the shape has no words of its own. */
export function plain(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${KINDS[issue.expected] ?? 'a value of another kind'}`;
    case 'invalid_value':
      return `expected ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `expected at least ${amount(issue.minimum, issue.origin)}`;
    case 'too_big':
      return `expected at most ${amount(issue.maximum, issue.origin)}`;
    case 'invalid_key':
      return 'this is not a name that may stand here';
    default:
      return 'this is not what belongs here';
  }
}

/** What to write for a key that is missing, by its name. */
export const EXAMPLES: Readonly<Record<string, string>> = {
  argv: '[program, argument]',
  bounds: '{ logLines: 1000, outputBytes: 1000000 }',
  command: 'task.create',
  executor: '{ kind: shell, argv: [program, argument] }',
  logLines: '1000',
  max: '1',
  name: 'a-name',
  outputBytes: '1000000',
  permission: 'runbook:deploy',
  probe: 'the name of a probe',
  quorum: '1',
  secret: '${env:NAME}',
  summary: 'What it does',
  timeout: '5m',
  tries: '{ max: 1 }',
  url: 'https://host/path',
  when: 'a condition, such as event == "push"',
};
