import type { Command, CommandSet } from './command.ts';

/** The commands by name and alias. @throws TypeError when two claim the same word: a mistake of the program. */
export function createCommandSet(all: readonly Command[]): CommandSet {
  const byName = new Map<string, Command>();
  for (const command of all) {
    for (const name of [command.name, ...(command.aliases ?? [])]) {
      if (byName.has(name)) throw new TypeError(`two commands are called ${name}`);
      byName.set(name, command);
    }
  }
  return { all, find: (name) => byName.get(name) };
}
