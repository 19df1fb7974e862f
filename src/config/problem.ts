/** What each stable code stands for. A code keeps its meaning; one that is no longer used is not given away again. */
export const CODES = {
  SBX001: 'the file cannot be read',
  SBX002: 'not well-formed YAML',
  SBX003: 'an alias, an anchor or a tag',
  SBX004: 'unknown key',
  SBX005: 'a required key is missing',
  SBX006: 'not what was expected',
  SBX007: 'a malformed permission',
  SBX008: 'an unknown role',
  SBX009: 'an identity that is malformed or claimed twice',
  SBX010: 'one name for two principals',
  SBX011: 'a runbook without bounds or permission',
  SBX012: 'an approval that is missing or automatic',
  SBX013: 'an unknown approver',
  SBX014: 'a quorum that cannot be reached',
  SBX015: 'arguments whose schema does not compile',
  SBX016: 'a template that cannot be filled safely',
  SBX017: 'an unknown probe',
  SBX018: 'a secret written in clear',
  SBX019: 'a condition that does not compile',
  SBX020: 'an unknown command',
  SBX021: 'an address that cannot be called',
  SBX022: 'a command that no webhook may run',
  SBX023: 'an argument that the command does not have, or cannot do without',
  SBX024: 'an argument that would carry a secret',
  SBX025: 'a runbook that can be no step of this one',
  SBX026: 'arguments that the runbook of a step does not take',
  SBX027: 'a budget of an unknown runbook, or without a bound',
  SBX028: 'an argument that `job run` itself has a flag of that name for',
  SBX101: 'an environment variable, or the option in its place, is not what was expected',
  SBX102: 'a channel is only half set',
} as const;

export type Code = keyof typeof CODES;

export interface Problem {
  readonly code: Code;
  /** As given or found; `environment` for a variable that no file sets, `command line` for an option. */
  readonly file: string;
  /** From 1; absent for the environment and for a file that cannot be read. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** What is wrong. Never quotes a value that might be secret. */
  readonly message: string;
  /** What to write instead. */
  readonly mend: string;
}

/** A place in the file: the keys and list positions that lead to it. */
export type Path = readonly PropertyKey[];

export type Report = (code: Code, path: Path, message: string, mend: string) => void;

export const dotted = (path: Path): string => path.map(String).join('.');

function formatProblem({ code, file, line, column, message, mend }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  return `${place} ${code} ${message}\n    ${mend}`;
}

/** Everything that is wrong with the environment and the configuration file, at once. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(`${problems.length === 1 ? 'One problem' : `${problems.length} problems`} in the configuration`);
    this.name = 'ConfigError';
    this.problems = problems.toSorted(
      (a, b) =>
        a.file.localeCompare(b.file) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
  }

  /** One paragraph per problem, `file:line:column CODE message`, then how to mend it. */
  format(): string {
    return `${this.message}:\n${this.problems.map(formatProblem).join('\n')}\n`;
  }
}
