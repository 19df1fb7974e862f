export type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isText = (value: unknown, most: number): value is string =>
  typeof value === 'string' && value.trim() !== '' && value.length <= most;

/** What `fields` has beyond the known ones. */
export function only(fields: Fields, known: readonly string[]): string[] {
  return Object.keys(fields)
    .filter((key) => !known.includes(key))
    .map((key) => `has the unknown field ${key}`);
}

/** A text object of either kind (docs.slack.dev/reference/block-kit/composition-objects/text-object). */
export function checkText(text: unknown, most: number, what = 'text'): string[] {
  if (!isFields(text)) return [`${what} is missing`];
  const errors = only(text, ['type', 'text', 'emoji', 'verbatim']);
  if (text['type'] !== 'mrkdwn' && text['type'] !== 'plain_text') errors.push(`${what} has an unknown type`);
  if (text['type'] === 'mrkdwn' && text['emoji'] !== undefined) errors.push('emoji is for plain_text');
  if (text['type'] === 'plain_text' && text['verbatim'] !== undefined) errors.push('verbatim is for mrkdwn');
  if (!isText(text['text'], most)) errors.push(`${what} is empty or too long`);
  else if (text['type'] === 'mrkdwn') errors.push(...checkMarkup(text['text'], 'mrkdwn'));
  return errors;
}

/** The same where only plain text may stand: labels, titles, placeholders. */
export function checkPlain(text: unknown, most: number, what = 'text'): string[] {
  const errors = checkText(text, most, what);
  if (isFields(text) && text['type'] !== 'plain_text') errors.push(`${what} is not plain_text`);
  return errors;
}

/** docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object */
export function checkConfirm(confirm: unknown): string[] {
  if (confirm === undefined) return [];
  if (!isFields(confirm)) return ['confirm is no object'];
  return [
    ...only(confirm, ['title', 'text', 'confirm', 'deny', 'style']),
    ...checkPlain(confirm['title'], 100, 'confirm title'),
    ...checkText(confirm['text'], 300, 'confirm text'),
    ...checkPlain(confirm['confirm'], 30, 'confirm button'),
    ...checkPlain(confirm['deny'], 30, 'confirm deny'),
    ...checkStyle(confirm['style']),
  ];
}

export function checkStyle(style: unknown): string[] {
  return style === undefined || style === 'primary' || style === 'danger' ? [] : ['style is unknown'];
}

/** Mentions and links, each with or without another text. */
const LINK = /<(?:@[UW][A-Z0-9]+|#C[A-Z0-9]+|https?:\/\/[^\s|<>]+|mailto:[^\s|<>]+)(?:\|[^<>]*)?>/g;

const DATE = /<!date\^([^<>]*)>/g;

/** docs.slack.dev/messaging/formatting-message-text and /reference/block-kit/block-elements/date-element */
const DATE_TOKENS = new Set([
  'date_num',
  'date_slash',
  'date',
  'date_short',
  'date_long',
  'date_long_full',
  'date_pretty',
  'date_short_pretty',
  'date_long_pretty',
  'day_divider_pretty',
  'time',
  'time_secs',
  'ago',
]);

/** Raw `&`, `<`, `>` are user text that was not escaped; a broadcast is never ours. Half a character is no text. */
export function checkMarkup(text: string, where: string): string[] {
  const errors: string[] = [];
  const rest = text
    .replace(DATE, (_, date: string) => {
      errors.push(...checkDate(date).map((error) => `${where} ${error}`));
      return '';
    })
    .replace(LINK, '');
  if (/[<>]/.test(rest) || /&(?!(?:amp|lt|gt);)/.test(rest)) errors.push(`${where} is not escaped`);
  if (!text.isWellFormed()) errors.push(`${where} has half a surrogate pair`);
  return errors;
}

/** `seconds^pattern^optional link|fallback` */
function checkDate(date: string): string[] {
  const bar = date.indexOf('|');
  const [seconds = '', pattern = '', link, ...more] = (bar === -1 ? date : date.slice(0, bar)).split('^');
  const tokens = [...pattern.matchAll(/\{([^{}]*)\}/g)].map(([, token = '']) => token);
  const errors = [];
  if (!/^\d+$/.test(seconds)) errors.push('date is no integer of seconds');
  if (tokens.length === 0) errors.push('date has no token');
  for (const token of tokens)
    if (!DATE_TOKENS.has(token)) errors.push(`date has the unknown token {${token}}`);
  if ((link !== undefined && !/^https?:\/\/\S+$/.test(link)) || more.length > 0)
    errors.push('date has a link that is none');
  if (bar === -1 || date.slice(bar + 1).trim() === '') errors.push('date has no fallback');
  return errors;
}
