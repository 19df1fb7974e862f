import EmailReplyParser from 'email-reply-parser';

// The reply parser's patterns take time with the cube of what they read, and the command stands at the top anyway.
const MAX_READ = 2_000;
const MAX_LINE_READ = 200;

/** Where a forwarded or answered mail begins, in the words of several mail programs: rulers, marks, header blocks. */
const FOREIGN = [
  /^\s*[-_=*]{3,}/,
  /^\s*(begin forwarded message|anfang der weitergeleiteten|début du message réexpédié|inicio del mensaje reenviado)/i,
  /^\s*(inizio messaggio inoltrato|begin doorgestuurd bericht|início da mensagem reencaminhada)/i,
  /^\s*\*?[\p{L} ]{2,20}\*?\s?:\*?\s.*[\w.+-]+@[\w-]+\.[\w.-]+\W*$/u,
];
/** A line of a header block, in any language, with an address or without: `Von: Bot`, `发送时间：…`. */
const FIELD =
  /^\s*\*?(?!(?:approved?|deny)\b)[\p{L}\p{M}][\p{L}\p{M}. -]{0,30}\*?\s?[:：](?:\*|\s|$|(?<=：))/iu;
const INTRODUCTION = /[:：]\s*$/;
const QUOTED = /^\s*>/;
/** What the first of two lines of an introduction has in it: `On 3 Nov 2026 at 10:00, Bot <bot@example.test>`. */
const WHO_OR_WHEN = /\S@\S|\b20\d\d(?!\d)/;

export interface OwnText {
  /** The first visible line that the sender wrote, trimmed; undefined when there is none. */
  readonly line: string | undefined;
  /** From that line down to where a quotation or a forwarded mail begins. */
  readonly block: string;
  /** The same without a signature at its end. */
  readonly said: string;
  /** What follows that block: quoted, forwarded, or signed. */
  readonly foreign: string;
  /** Whether a mark was found below which somebody else's mail stands. */
  readonly marked: boolean;
}

/** Splits the text part of a mail into what its sender wrote and what came along. */
export function ownText(text: string): OwnText {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  const read = lines.map((line) => line.slice(0, MAX_LINE_READ));
  const mark = markIn(lines, read);
  const own = mark < 0 ? lines : lines.slice(0, mark);

  const head = read.slice(0, own.length).join('\n');
  // The leading line break lets the parser see a quotation's introduction that stands on the very first line.
  const visible = new EmailReplyParser().parseReply(`\n${head.slice(0, MAX_READ)}`).split('\n');
  const shown = visible.findIndex((line) => line.trim() !== '');
  const first = visible[shown]?.trim();
  const from = first === undefined ? -1 : own.findIndex((_, index) => read[index]?.trim() === first);
  if (from < 0) return { line: undefined, block: '', said: '', foreign: text, marked: mark >= 0 };
  const quote = own.findIndex((line, index) => index > from && QUOTED.test(line));
  const end = quote < 0 ? own.length : quote;
  const hidden = read.findIndex(
    (line, index) => index > from && line.trim() !== visible[shown + index - from]?.trim(),
  );
  // The parser hides a signature, and so does what it was not given to read.
  const saidTo = head.length > MAX_READ || hidden < 0 ? end : Math.min(end, hidden);
  return {
    line: own[from]?.trim(),
    block: own.slice(from, end).join('\n').trim(),
    said: own.slice(from, saidTo).join('\n').trim(),
    foreign: lines.slice(end).join('\n'),
    marked: mark >= 0,
  };
}

/** The index of the first line that is not the sender's own; -1 when nothing shows one. `read` are the lines, clipped. */
function markIn(lines: readonly string[], read: readonly string[]): number {
  let before = ''; // the last line that is not blank
  let apart = true; // whether a blank line or nothing stands above
  for (const [index, line] of read.entries()) {
    if (line.trim() === '') {
      apart = true;
      continue;
    }
    if (FOREIGN.some((start) => start.test(line))) return index;
    if (apart && FIELD.test(line) && FIELD.test(read[index + 1] ?? '')) return index;
    if (introduces(lines, index, before === '')) {
      return !apart && WHO_OR_WHEN.test(before) ? index - 1 : index;
    }
    before = line;
    apart = false;
  }
  return -1;
}

/** Whether a quotation follows that the line introduces: no command ends in a colon, so a first line that does, does. */
function introduces(lines: readonly string[], index: number, first: boolean): boolean {
  if (!INTRODUCTION.test(lines[index]?.slice(-MAX_LINE_READ) ?? '')) return false;
  const next = lines[index + 1]?.trim() === '' ? lines[index + 2] : lines[index + 1];
  return first || QUOTED.test(next ?? '');
}
