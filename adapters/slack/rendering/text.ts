/**
 * Slack's own text markup, both ways. Slack escapes exactly `&`, `<` and `>`, and puts mentions and links between angle
 * brackets (docs.slack.dev/messaging/formatting-message-text).
 */
const TOKEN = /<([^<>]*)>|&(amp|lt|gt);/g;
const ENTITY = { amp: '&', lt: '<', gt: '>' } as const;

/** What a text means by id, under what stands in the text for it. */
export interface Meant {
  /** `<@U1>` → `U1` */
  readonly people: ReadonlyMap<string, string>;
  /** `#ops`, or `<#C1>` where its name cannot stand for it → `C1` */
  readonly places: ReadonlyMap<string, string>;
}

/** Text as a person typed it: entities undone once, links as their address, a person as `<@U123>`. */
export const plain = (markup: string): string => read(markup).text;

/** The same, with whom and which places it means. What was typed letter by letter means nobody and no place. */
export function read(markup: string): Meant & { readonly text: string } {
  const people = new Map<string, string>();
  const places = new Map<string, string>();
  const text = markup.replace(
    TOKEN,
    (_, token: string | undefined, entity: keyof typeof ENTITY | undefined) => {
      if (token === undefined) return ENTITY[entity ?? 'amp'];
      const shown = readToken(token, places);
      const [, user] = /^<@([UW][A-Z0-9]+)>$/.exec(shown) ?? [];
      if (user !== undefined && people.size < MOST_MEANT) people.set(shown, user);
      return shown;
    },
  );
  return { text, people, places };
}

/** People whom one message may mean; more are written about only. */
const MOST_MEANT = 100;
/** A channel's name that is one word of a command as it stands. */
const ONE_WORD = /^[^\s"'\\<>]{1,80}$/;

function readToken(token: string, places: Map<string, string>): string {
  const bar = token.indexOf('|');
  const target = bar < 0 ? token : token.slice(0, bar);
  const label = bar < 0 ? '' : token.slice(bar + 1);
  // The label of a person is a display name, which anybody may choose: the id stays, the name goes.
  if (target.startsWith('@')) return `<${target}>`;
  if (target.startsWith('#')) return readPlace(target.slice(1), unescaped(label), places);
  if (target.startsWith('!')) return label ? unescaped(label) : `@${target.slice(1)}`;
  if (/^(mailto|tel):/.test(target)) return unescaped(label || target.slice(target.indexOf(':') + 1));
  return unescaped(target);
}

/** Its name, unless two channels share it: one of another team may be called the same here. */
function readPlace(id: string, name: string, places: Map<string, string>): string {
  const shown = ONE_WORD.test(name) && (places.get(`#${name}`) ?? id) === id ? `#${name}` : `<#${id}>`;
  places.set(shown, id);
  return shown;
}

const unescaped = (text: string): string =>
  text.replace(/&(amp|lt|gt);/g, (_, entity: keyof typeof ENTITY) => ENTITY[entity]);

/** What follows the bot's own mention at the start of a message; the text as it is where there is none. */
export function withoutMention(markup: string, botUser: string): string {
  const match = /^\s*<@([A-Z0-9]+)(?:\|[^<>]*)?>[\s:,]*/.exec(markup);
  return match?.[1] === botUser ? markup.slice(match[0].length) : markup;
}

/** Text that Slack shows as it is: no mention, link or broadcast comes out of what a user wrote. */
export function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(UNPRINTABLE, '')
    .replace(/[&<>]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'));
}

/** Control characters but tab and line feed: Slack drops them, and each would cost six characters of JSON. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** The longest prefix end within `limit` that cuts neither an entity nor a surrogate pair; at a line's end if one is near. */
export function cutAt(text: string, limit: number): number {
  if (text.length <= limit) return text.length;
  const line = text.lastIndexOf('\n', limit);
  if (line > limit / 2) return line;
  const entity = text.lastIndexOf('&', limit - 1);
  if (entity > limit - '&amp;'.length && text.indexOf(';', entity) >= limit) return entity;
  const high = text.charCodeAt(limit - 1);
  return high >= 0xd800 && high <= 0xdbff ? limit - 1 : limit;
}

/**
 * The same of escaped text with dates of ours in it, which are not cut either; a raw `<` is the beginning of one. 0 where
 * nothing whole fits.
 */
export function cutMarkup(markup: string, limit: number): number {
  const end = cutAt(markup, limit);
  const token = markup.lastIndexOf('<', end - 1);
  return token >= 0 && markup.indexOf('>', token) >= end ? token : end;
}
