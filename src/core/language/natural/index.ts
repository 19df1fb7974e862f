import type { Command } from '../../command.ts';
import { quote } from '../quote.ts';
import { tokenize, type Token } from '../tokenize.ts';
import { readCreate } from './create.ts';
import { mayMean } from './guard.ts';
import { INTENTS, type Meaning } from './intents.ts';

export interface PlainReading {
  readonly command: string;
  /** The command's arguments, as they would be typed. */
  readonly tokens: readonly Token[];
}

/** Longer texts are no requests to a program. */
const MAX_SENTENCE = 400;
const GREETING = /^(?:hey|hi|hello|ok|okay|so)\b[\s,!]*/i;
const CALL = /^[/@]?(?:signalbox|sb)\b[\s,:]*/i;
const PLEASE = /^please\b[\s,]*/i;
const REQUEST =
  /^(?:(?:can|could|would|will) you\b|i(?:'d| would) like you to\b|i (?:want|need) you to\b|let us\b|let's\b)\s*/i;
const THANKS = /[\s,.!]*(?:\b(?:please|thanks|thank you|thx|asap)\b)?[\s.!]*$/i;
const SPOKEN_ID = /\b(?<noun>tsk|task|job|apr)[ -]?#?(?<number>\d+)\b/gi;
const PREFIX: Readonly<Record<string, string>> = { tsk: 'TSK', task: 'TSK', job: 'JOB', apr: 'APR' };

/**
 * Reads a sentence as one of the commonest commands; undefined where it is none, or where there is doubt. Commands that
 * are destructive or financial, votes and confirmations are never read out of a sentence.
 */
export async function readPlainly(
  text: string,
  context: { now: Date; who: string },
  find: (name: string) => Command | undefined,
): Promise<PlainReading | undefined> {
  if (text.length > MAX_SENTENCE) return undefined;
  const { sentence, question } = bare(text);
  for (const { name, meaning } of await candidates(sentence, context)) {
    const command = find(name);
    if (!command || !(await mayMean(command.risk, sentence, question))) continue;
    return { command: name, tokens: typed(meaning, context.who) };
  }
  return undefined;
}

async function candidates(
  sentence: string,
  context: { now: Date; who: string },
): Promise<{ name: string; meaning: Meaning }[]> {
  const found: { name: string; meaning: Meaning }[] = [];
  const create = await readCreate(sentence, context);
  if (create) found.push({ name: 'task.create', meaning: create });
  for (const intent of INTENTS) {
    for (const pattern of intent.patterns) {
      const said = pattern.exec(sentence);
      const meaning = said && intent.meaning(said.groups ?? {});
      if (meaning) found.push({ name: intent.command, meaning });
    }
  }
  return found;
}

/** Takes politeness away. "Could you …?" is a request; any other question mark asks. */
function bare(text: string): { sentence: string; question: boolean } {
  let sentence = text.replace(/\s+/g, ' ').trim().replaceAll('’', "'");
  const asks = /\?[\s!?]*$/.test(sentence);
  sentence = sentence.replace(/[?!\s]+$/, '');
  sentence = sentence.replace(GREETING, '').replace(CALL, '').replace(PLEASE, '');
  const request = REQUEST.exec(sentence);
  if (request) sentence = sentence.slice(request[0].length);
  sentence = sentence.replace(PLEASE, '').replace(THANKS, '');
  sentence = sentence.replace(
    SPOKEN_ID,
    (_, noun: string, number: string) => `${PREFIX[noun.toLowerCase()]}-${number}`,
  );
  return { sentence, question: asks && !request };
}

function typed(meaning: Meaning, who: string): Token[] {
  const flags = Object.entries(meaning.flags ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, quote(name === 'owner' && value === 'me' ? who : value)],
  );
  return tokenize([...meaning.words.map(quote), ...flags].join(' '));
}
