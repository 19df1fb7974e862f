import type { Environment } from './catalog.ts';
import { loadConfig, type Config } from './load.ts';
import { ConfigError, type Problem } from './problem.ts';
import { suggest } from './suggest.ts';

/** What only people may do: decide, confirm, and say who may do what. */
const FORBIDDEN = /^(?:approval\.(?:approve|deny|decide|cancel)|yes|no|link|(?:person|role|key)\..*)$/;

/**
 * Checks what needs the command list: that the rules of all sources, also of those that are off, name commands that
 * exist.
 * @throws ConfigError
 */
export function checkCatalog(
  { sources, file, locate }: Pick<Config, 'sources' | 'file' | 'locate'>,
  commandNames: Iterable<string>,
): void {
  const known = new Set(commandNames);
  const problems: Problem[] = [];
  for (const source of sources.values())
    source.rules.forEach(({ command, name }, index) => {
      if (known.has(command) && !FORBIDDEN.test(command)) return;
      if (known.has(command)) {
        problems.push({
          code: 'SBX022',
          file,
          ...locate(['sources', source.name, 'rules', index, 'command']),
          message: `Rule "${name}": a webhook proves its source, not a person, so it may not run ${command}.`,
          mend: 'Let a person run it.',
        });
        return;
      }
      problems.push({
        code: 'SBX020',
        file,
        ...locate(['sources', source.name, 'rules', index, 'command']),
        message: `Rule "${name}": there is no command "${command}".`,
        mend: suggest(command, known, 'Write noun.verb, as `help` lists them.'),
      });
    });
  if (problems.length > 0) throw new ConfigError(problems);
}

/**
 * `signalbox check`: prints what is defined and what is off, or everything that is wrong.
 * Returns the exit code: 0 right, 1 wrong.
 */
export async function runCheck(options: {
  readonly env: Environment;
  readonly cwd: string;
  readonly commandNames: Iterable<string>;
  readonly output: { write(text: string): unknown };
}): Promise<0 | 1> {
  try {
    const config = await loadConfig(options);
    checkCatalog(config, options.commandNames);
    options.output.write(`${summary(config)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    options.output.write(error.format());
    return 1;
  }
}

function summary({ catalog, sources, file, notes, settings }: Config): string {
  const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
  const people = catalog.principals.filter(({ kind }) => kind === 'person').length;
  const parts = [
    count(catalog.roles.length, 'role'),
    people === 1 ? '1 person' : `${people} people`,
    count(catalog.principals.length - people, 'agent'),
    count(catalog.runbooks.size, 'runbook'),
    count(catalog.probes.size, 'probe'),
    count(sources.size, 'webhook source'),
  ];
  const off = [
    ...(settings.slack.on ? [] : [`Slack is off: set ${settings.slack.turnOnWith}.`]),
    ...(settings.email.on ? [] : [`Email is off: set ${settings.email.turnOnWith}.`]),
  ];
  return [`${file} is right: ${parts.join(', ')}.`, ...[...off, ...notes].map((note) => `- ${note}`)].join(
    '\n',
  );
}
