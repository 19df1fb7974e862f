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

export interface OwnText {
  /** The first visible line that the sender wrote, trimmed; undefined when there is none. */
  readonly line: string | undefined;
  /** From that line down to where a quotation or a forwarded mail begins. */
  readonly block: string;
  /** What follows that block: quoted, forwarded, or signed. */
  readonly foreign: string;
  /** Whether a mark was found below which somebody else's mail stands. */
  readonly marked: boolean;
}

/** Splits the text part of a mail into what its sender wrote and what came along. */
export function ownText(text: string): OwnText {
  const lines = text.replace(/\r\n?/g, '\n').split('\n');
  const mark = lines.findIndex((line) => FOREIGN.some((start) => start.test(line.slice(0, MAX_LINE_READ))));
  const own = mark < 0 ? lines : lines.slice(0, mark);

  const head = own.map((line) => line.slice(0, MAX_LINE_READ)).join('\n');
  // The leading line break lets the parser see a quotation's introduction that stands on the very first line.
  const visible = new EmailReplyParser().parseReply(`\n${head.slice(0, MAX_READ)}`);
  const first = visible
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.trim();
  const from =
    first === undefined ? -1 : own.findIndex((line) => line.slice(0, MAX_LINE_READ).trim() === first);
  if (from < 0) return { line: undefined, block: '', foreign: text, marked: mark >= 0 };
  const quote = own.findIndex((line, index) => index > from && /^\s*>/.test(line));
  const end = quote < 0 ? own.length : quote;
  return {
    line: own[from]?.trim(),
    block: own.slice(from, end).join('\n').trim(),
    foreign: lines.slice(end).join('\n'),
    marked: mark >= 0,
  };
}
