import { approverNotes } from './approvers.ts';
import type { Environment } from './catalog.ts';
import { loadConfig, type Config } from './load.ts';
import { permissionNotes } from './permissions.ts';
import { ConfigError, type Problem, type Report } from './problem.ts';
import { squash } from '../core/language/fields.ts';
import { isObject } from '../domain/json.ts';
import { checkRule, type KnownCommand } from './rules.ts';

/**
 * Checks what needs the command list: that the rules of all sources, also of those that are off, fit their commands, and
 * that a runbook's arguments can be flags of `job run`.
 * Returns remarks on permissions that nothing needs.
 * @throws ConfigError
 */
export function checkCatalog(
  { catalog, sources, file, locate }: Pick<Config, 'catalog' | 'sources' | 'file' | 'locate'>,
  commands: readonly KnownCommand[],
): string[] {
  const byName = new Map(commands.map((command) => [command.name, command]));
  const problems: Problem[] = [];
  const report: Report = (code, path, message, mend) =>
    void problems.push({ code, file, ...locate(path), message, mend });
  for (const source of sources.values())
    source.rules.forEach((rule, index) =>
      checkRule(rule, byName, ['sources', source.name, 'rules', index], report),
    );
  checkFlags(catalog, byName.get('job.run'), report);
  if (problems.length > 0) throw new ConfigError(problems);
  return permissionNotes(catalog, commands, (path) => `${file}:${locate(path).line}`);
}

/** A runbook's arguments are typed beside the command's own. */
function checkFlags({ runbooks }: Config['catalog'], run: KnownCommand | undefined, report: Report): void {
  const taken = new Map(Object.keys(run?.args.shape ?? {}).map((flag) => [squash(flag), flag]));
  for (const { name, args } of runbooks.values()) {
    const properties = isObject(args['properties']) ? args['properties'] : {};
    for (const argument of Object.keys(properties)) {
      const flag = taken.get(squash(argument));
      if (flag === undefined) continue;
      report(
        'SBX028',
        ['runbooks', name, 'args', 'properties', argument],
        `runbooks.${name}: the argument "${argument}" cannot be told from job run’s own --${flag}.`,
        'Give it another name.',
      );
    }
  }
}

/**
 * `signalbox check`: prints what is defined and what is off, or everything that is wrong.
 * Returns the exit code: 0 right, 1 wrong.
 */
export async function runCheck(options: {
  readonly env: Environment;
  readonly cwd: string;
  readonly commands: readonly KnownCommand[];
  readonly output: { write(text: string): unknown };
}): Promise<0 | 1> {
  try {
    const config = await loadConfig(options);
    const remarks = checkCatalog(config, options.commands);
    const lacking = approverNotes(config.catalog, config.catalog.principals, 'the file names');
    options.output.write(`${summary(config, [...remarks, ...lacking])}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    options.output.write(error.format());
    return 1;
  }
}

function summary({ catalog, sources, file, notes, settings }: Config, remarks: readonly string[]): string {
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
  return [
    `${file} is right: ${parts.join(', ')}.`,
    ...[...off, ...notes, ...remarks].map((note) => `- ${note}`),
  ].join('\n');
}
