import { clip } from '../../domain/clip.ts';
import { Refusal } from '../../domain/errors.ts';
import type { CommandSet } from '../command.ts';
import { specOf, type Spec } from './fields.ts';
import { nearest, oneOf } from './nearest.ts';
import type { Token } from './tokenize.ts';

/** Finds commands by what people type. */
export interface Names {
  /** The command that the first words name, the longest name first, and how many words that took. */
  resolve(tokens: readonly Token[]): { spec: Spec; used: number } | undefined;
  /** By canonical name, alias, or typed form, in any case. */
  find(name: string): Spec | undefined;
  /** The refusal for words that name no command, with the nearest ones. */
  unknown(words: readonly string[]): Refusal;
}

export function buildNames(commands: CommandSet): Names {
  const table = new Map<string, Spec>();
  for (const command of commands.all) {
    const spec = specOf(command);
    for (const name of [command.name, spec.words, ...(command.aliases ?? []).map(typed)])
      addName(table, name.toLowerCase(), spec);
  }
  const typedNames = [...table.keys()].filter((name) => !name.includes('.'));
  const longest = Math.max(1, ...typedNames.map((name) => name.split(' ').length));

  return {
    resolve(tokens) {
      for (let used = Math.min(longest, tokens.length); used > 0; used--) {
        const spec = lookUp(table, tokens, used);
        if (spec) return { spec, used };
      }
      return undefined;
    },
    find: (name) => table.get(name) ?? table.get(typed(name.trim()).toLowerCase()),
    unknown: (words) => unknown(words, typedNames),
  };
}

const typed = (name: string): string => name.replace(/[.\s]+/g, ' ');

function addName(table: Map<string, Spec>, name: string, spec: Spec): void {
  const other = table.get(name);
  if (other && other !== spec)
    throw new Error(`${other.command.name} and ${spec.command.name} both answer to "${name}"`);
  table.set(name, spec);
}

function lookUp(table: ReadonlyMap<string, Spec>, tokens: readonly Token[], used: number): Spec | undefined {
  let words = '';
  for (let i = 0; i < used; i++) {
    const token = tokens[i];
    if (!token || token.quoted || token.flag) return undefined;
    words = i === 0 ? token.text : `${words} ${token.text}`;
  }
  return table.get(words) ?? table.get(words.toLowerCase());
}

function unknown(words: readonly string[], names: readonly string[]): Refusal {
  const [first = '', second = '', third = ''] = words.flatMap((word) => word.toLowerCase().split('.'));
  // `job dead` is a noun of its own where there is a `job dead list`.
  const long = second !== '' && names.some((name) => name.startsWith(`${first} ${second} `));
  const [noun, verb] = long ? [`${first} ${second}`, third] : [first, second];
  const suggestions = suggest(noun, verb, names);
  const ofNoun = names.filter((name) => name.startsWith(`${noun} `));
  if (ofNoun.length > 0 && (verb === '' || suggestions.length === 0)) {
    const verbs = ofNoun.map((name) => name.slice(noun.length + 1));
    return refuse(
      verb ? `${noun} has no verb ${clip(verb, 60)}; it takes` : `${noun} needs a verb:`,
      verbs,
      ofNoun,
    );
  }
  const said = clip(words.slice(0, long ? 3 : 2).join(' '), 60);
  if (suggestions.length > 0)
    return new Refusal(
      'unknown_command',
      `There is no command "${said}". Did you mean ${oneOf(suggestions)}?`,
      {
        suggestions,
      },
    );
  const help = names.includes('help');
  const message = said ? `There is no command "${said}".` : 'There is nothing to read.';
  return new Refusal('unknown_command', help ? `${message} Type help to see what there is.` : message, {
    suggestions: help ? ['help'] : [],
  });
}

function refuse(message: string, verbs: readonly string[], suggestions: readonly string[]): Refusal {
  return new Refusal('unknown_command', `${message} ${oneOf(verbs)}.`, { suggestions });
}

/** The nearest names to `noun verb`, to `verb noun`, and to the first word alone. */
function suggest(noun: string, verb: string, names: readonly string[]): string[] {
  const both = verb ? [...nearest(`${noun} ${verb}`, names), ...nearest(`${verb} ${noun}`, names)] : [];
  const alone = nearest(noun, new Set(names.map((name) => name.split(' ')[0] ?? '')));
  const single = alone.flatMap((word) =>
    names.includes(word) ? [word] : names.filter((n) => n.startsWith(`${word} `)),
  );
  const found = both.length > 0 ? both : single.filter((name) => name.split(' ')[0] !== noun);
  return [...new Set(found)].slice(0, 5);
}
