import { CHANNELS, PEOPLE } from './people.ts';

/** A name at a word's start, not the `@` within a mail address or the `#` of a link. */
const NAMES = /(?<![\w/.&#@-])([@#])([a-z][\w-]*)/gi;
const LINKS = /https?:\/\/[^\s<>|]*[^\s<>|.,:;!?)\]'"]/g;

/**
 * What a person typed as Slack sends it on: `&`, `<` and `>` escaped, people and channels by their ids, links in angle
 * brackets (docs.slack.dev/messaging/formatting-message-text). Unknown names stay as they are.
 */
export function asMarkup(line: string, botUser: string): string {
  const escaped = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return escaped
    .split(/(https?:\/\/\S+)/)
    .map((part, index) => (index % 2 === 1 ? part.replace(LINKS, '<$&>') : withIds(part, botUser)))
    .join('');
}

function withIds(text: string, botUser: string): string {
  return text.replace(NAMES, (whole, sign: string, name: string) => {
    if (sign === '@' && name.toLowerCase() === 'signalbox') return `<@${botUser}>`;
    const known = (sign === '@' ? PEOPLE : CHANNELS).find(
      (one) => one.name.toLowerCase() === name.toLowerCase(),
    );
    if (known === undefined) return whole;
    return `<${sign}${known.id}|${sign === '@' ? known.name.toLowerCase() : known.name}>`;
  });
}

/** `/sb task list` as its command and the rest; undefined for a line that is none. */
export function asCommand(line: string): { command: string; text: string } | undefined {
  const [, command, text = ''] = /^(\/[a-z][\w-]*)(?:\s+([\s\S]*))?$/.exec(line.trim()) ?? [];
  return command === undefined ? undefined : { command, text };
}
