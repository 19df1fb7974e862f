import type { Command, CommandSet } from './command.ts';
import type { Body, Invocation } from './message.ts';

/** What a message was read as. `sure: false` for a plain-language reading: a change then waits for `yes`. */
export interface Reading {
  readonly command: Command;
  /** Parsed and defaulted arguments, as `run` takes them. */
  readonly args: Record<string, unknown>;
  /** Canonical form: JSON arguments as given, without defaults; what is shown, digested and formatted. */
  readonly invocation: Invocation;
  readonly sure: boolean;
}

export interface Language {
  /** @throws Refusal `malformed`, `unknown_command` or `invalid_argument`, with suggestions. */
  read(body: Body, context: { now: Date; who: string }): Promise<Reading>;
  /** The pattern form that reads back as the same invocation. */
  format(invocation: Invocation): string;
}

export type LanguageFactory = (commands: CommandSet) => Language;
