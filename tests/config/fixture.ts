import type { Code } from '../../src/config/problem.ts';

/** A runbook that is right; a fixture takes lines away from it or adds some. */
export const RUNBOOK = [
  '    summary: Restart a service',
  '    risk: write',
  '    permission: runbook:restart',
  '    timeout: 1m',
  '    tries: { max: 3, backoff: 2s, cap: 30s }',
  '    bounds: { logLines: 200, outputBytes: 100000 }',
];
export const SHELL = '    executor: { kind: shell, argv: [node, --version] }';
const runbook = (...lines: string[]): string => ['runbooks:', '  restart:', ...lines].join('\n');
export const complete = (...lines: string[]): string => runbook(...RUNBOOK, ...lines);
export const without = (key: string): string =>
  runbook(...RUNBOOK.filter((line) => !line.startsWith(`    ${key}:`)), SHELL);
export const withLine = (key: string, line: string): string =>
  runbook(...RUNBOOK.map((old) => (old.startsWith(`    ${key}:`) ? line : old)), SHELL);
export const args =
  '    args: { required: [name], properties: { name: { type: string }, note: { type: string } } }';
export const source = (...lines: string[]): string =>
  ['sources:', '  github:', '    kind: github', '    secret: ${env:HOOK}', ...lines].join('\n');
export const rule = (line: string): string =>
  source('    rules:', '      - name: any', '        command: task.create', `        ${line}`);

export interface Fixture {
  readonly what: string;
  readonly code: Code;
  readonly yaml: string;
  readonly line: number;
  readonly says: RegExp;
}

export const fixture = (code: Code, line: number, what: string, says: RegExp, yaml: string): Fixture => ({
  code,
  line,
  what,
  says,
  yaml,
});

/** One broken file per rule, with the line that is named. */
