import type { Command } from '../core/command.ts';
import { mayRunUnattended } from '../core/unattended.ts';
import type { Rule } from '../domain/catalog.ts';
import type { Path, Report } from './problem.ts';
import { suggest } from './suggest.ts';

/** What the configuration is held against: which commands there are, what they take and what they need. */
export type KnownCommand = Pick<Command, 'name' | 'args' | 'needs'>;

/** Checks that a webhook's rule names a command that exists and may be run so, and fills the arguments that it takes. */
export function checkRule(
  { name, command, args }: Rule,
  commands: ReadonlyMap<string, KnownCommand>,
  path: Path,
  report: Report,
): void {
  const known = commands.get(command);
  const at = [...path, 'command'];
  if (known === undefined) {
    const mend = suggest(command, commands.keys(), 'Write noun.verb, as `help` lists them.');
    report('SBX020', at, `Rule "${name}": there is no command "${command}".`, mend);
    return;
  }
  if (!mayRunUnattended(command)) {
    const message = `Rule "${name}": a webhook proves its source, not a person, so it may not run ${command}.`;
    report('SBX022', at, message, 'Let a person run it.');
    return;
  }
  const taken = Object.keys(known.args.shape);
  for (const given of Object.keys(args)) {
    if (taken.includes(given)) continue;
    const mend = suggest(given, taken, `It takes ${taken.join(', ') || 'none'}.`);
    report(
      'SBX023',
      [...path, 'args', given],
      `Rule "${name}": ${command} has no argument "${given}".`,
      mend,
    );
  }
  for (const [needed, schema] of Object.entries(known.args.shape)) {
    if (Object.hasOwn(args, needed) || schema.safeParse(undefined).success) continue;
    const message = `Rule "${name}": ${command} cannot run without the argument "${needed}".`;
    report('SBX023', at, message, `Fill it under args: a CEL expression, such as payload.${needed}.`);
  }
}
