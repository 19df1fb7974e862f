import { cutAt, cutMarkup } from './text.ts';

/** Limits of docs.slack.dev/reference/block-kit/blocks. */
const SECTION_TEXT = 3_000;
const HEADER_TEXT = 150;

export interface Text {
  type: 'mrkdwn';
  text: string;
  /** Slack makes no links or mentions of its own out of names in the text. */
  verbatim: true;
}
export interface PlainText {
  type: 'plain_text';
  text: string;
  emoji: false;
}
export interface Button {
  type: 'button';
  action_id: string;
  text: PlainText;
  value: string;
  style?: 'primary' | 'danger';
}
export type Block =
  | { type: 'header'; text: PlainText }
  | { type: 'section'; text: Text; accessory?: Button }
  | { type: 'section'; fields: Text[] }
  | { type: 'actions'; elements: Button[] }
  | { type: 'context'; elements: Text[] };

export const mrkdwn = (text: string): Text => ({ type: 'mrkdwn', text, verbatim: true });

export const context = (markup: string): Block => ({ type: 'context', elements: [mrkdwn(markup)] });

/** Nothing where there is nothing to be seen, which Slack would refuse. */
export function header(title: string): Block[] {
  const line = title.toWellFormed().replace(UNPRINTABLE, ' ').trim();
  const text = line.length > HEADER_TEXT ? `${line.slice(0, cutAt(line, HEADER_TEXT - 1))}…` : line;
  return text === '' ? [] : [{ type: 'header', text: { type: 'plain_text', text, emoji: false } }];
}

// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNPRINTABLE = /[\s\u0000-\u001f\u007f]+/g;

/** Escaped text as one section after the other. */
export const sections = (markup: string): Block[] =>
  pieces(markup, SECTION_TEXT).map((piece) => ({ type: 'section', text: mrkdwn(piece) }));

/** Escaped text shown letter by letter, in boxes. */
export const verbatim = (markup: string): Block[] =>
  pieces(keptApart(markup), SECTION_TEXT - FENCES).map((piece) => ({
    type: 'section',
    text: mrkdwn(fenced(piece.replace(/^\n/, ''))),
  }));

/** The same within other text. */
export const boxed = (markup: string): string => fenced(keptApart(markup));

/** Three backticks would end a box. */
const keptApart = (markup: string): string => markup.replace(/`(?=``)/g, '`\u200b');
const fenced = (markup: string): string => `\`\`\`\n${markup}\n\`\`\``;

const FENCES = '```\n\n```'.length;

/** Parts of a text without those in which there is nothing to be seen. */
function pieces(markup: string, most: number): string[] {
  const found: string[] = [];
  for (let rest = markup; rest.length > 0; ) {
    const end = cutMarkup(rest, most);
    found.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return found.filter((piece) => piece.trim() !== '');
}

/** At most so many characters, with `…` for what is left out. */
export const clipped = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, cutMarkup(text, most - 1))}…`;
