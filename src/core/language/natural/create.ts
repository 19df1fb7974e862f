import { readDate } from '../dates.ts';
import type { Meaning } from './intents.ts';

const REQUEST =
  /^(?:create|open|add|file|make|raise|log)(?: me| us)?(?: an?| the| one)?(?: new)?(?: (?<level>urgent|critical|important|high[ -]priority|normal|low[ -]priority|p[012]))?(?: new)? (?:task|ticket|issue|todo)(?<rest>[ ,:].*)$/is;
const OWNER = /^ for (?<name>@?[\p{L}][\p{L}\p{N}._-]*)(?=[ ,:])/iu;
const ASSIGNED = /,?(?: and)? (?:assigned|assign it|and assign it) to (?<name>@?[\p{L}][\p{L}\p{N}._-]*)$/iu;
const PRIORITY =
  /,? with(?: an?)? (?:(?<word>urgent|high|normal|low|p[012]) priority|priority (?<level>p[012]|high|normal|low))$/i;
const LEAD = /^[ ,:-]*(?:(?:to|about|called|titled|named|that says|for)[ :]+)?/i;
const NOBODY = new Set([
  'the',
  'a',
  'an',
  'this',
  'that',
  'our',
  'my',
  'your',
  'their',
  'all',
  'every',
  'us',
  'everyone',
  'everybody',
]);
const LEVELS: Readonly<Record<string, string>> = {
  urgent: 'P0',
  critical: 'P0',
  high: 'P0',
  important: 'P1',
  normal: 'P1',
  low: 'P2',
};
const DATED = { dayOnly: false, dayEnd: false };

/**
 * "open an urgent task for Ana to fix login by Friday" → title, priority, owner, due. What stands at the end is taken
 * off piece by piece; what is left is the title.
 */
export async function readCreate(
  sentence: string,
  context: { now: Date; who: string },
): Promise<Meaning | undefined> {
  const request = REQUEST.exec(sentence);
  if (!request?.groups) return undefined;
  let rest = request.groups['rest'] ?? '';
  let priority = level(request.groups['level']);

  const owner = OWNER.exec(rest)?.groups?.['name'];
  const isOwner = owner !== undefined && !NOBODY.has(owner.toLowerCase());
  if (isOwner) rest = rest.slice(` for ${owner}`.length);

  const due = await dueAtEnd(rest, context.now);
  if (due) rest = rest.slice(0, due.at);
  const said = PRIORITY.exec(rest);
  if (said) {
    priority ??= level(said.groups?.['word'] ?? said.groups?.['level']);
    rest = rest.slice(0, said.index);
  }
  const assigned = ASSIGNED.exec(rest);
  if (assigned) rest = rest.slice(0, assigned.index);
  const to = isOwner ? owner : assigned?.groups?.['name'];

  const title = unquoted(rest.replace(LEAD, '').trim());
  if (title === '') return undefined;
  return { words: [title], flags: { priority, owner: to && principal(to, context.who), due: due?.text } };
}

/** The last ` by …` or ` due …` whose rest is a date and nothing else. */
async function dueAtEnd(text: string, now: Date): Promise<{ at: number; text: string } | undefined> {
  const starts = [...text.matchAll(/,? (?:by|due|due by|due on) /gi)].slice(-3).toReversed();
  for (const start of starts) {
    const date = text.slice(start.index + start[0].length).trim();
    if (await readDate(DATED, date, now)) return { at: start.index, text: date };
  }
  return undefined;
}

function level(said: string | undefined): string | undefined {
  if (said === undefined) return undefined;
  const word = said.toLowerCase().split(/[ -]/)[0] ?? '';
  return LEVELS[word] ?? word.toUpperCase();
}

const principal = (name: string, who: string): string =>
  name.toLowerCase() === 'me' ? who : name.replace(/^@/, '').toLowerCase();

const unquoted = (text: string): string =>
  /^["“„](?<inside>[^"“”]+)["”]$/u.exec(text)?.groups?.['inside'] ?? text;
