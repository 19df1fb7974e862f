import { simpleParser, type SimpleParserOptions } from 'mailparser';
import type { Body } from '../../src/core/message.ts';
import { parseJson } from '../http.ts';
import { signedContent } from './content.ts';
import { messageIds, type Headers, type SplitMail } from './header.ts';
import { passedOn } from './subject.ts';
import { ownText, type OwnText } from './text.ts';

export type Decoded = { readonly subject: string } & (
  | { readonly kind: 'run'; readonly body: Body }
  /** Nothing is run; the sender is told why. */
  | { readonly kind: 'explain'; readonly why: keyof typeof EXPLAIN; readonly text: string }
);

const EXPLAIN = {
  html: 'Your mail has no plain-text part, so nothing was run. Send it as plain text with the command on its first line.',
  forwarded: 'Forwarded mail is never run. Write a new mail with the command on its first line.',
  empty:
    'Your mail has no line of your own, so nothing was run. Write the command on its first line, above what you quote.',
  charset:
    'The command has characters that cannot be read in the character set of your mail, so nothing was run. Send it in UTF-8.',
  unsigned:
    'Your mail service does not sign how your mail is to be read, and its text could be read in more than one way, so nothing was run. Send the command as plain text without special characters, or through another service.',
  unreadable:
    'Your mail is built in a way that cannot be read, so nothing was run. Send the command as plain text.',
  json: 'A mail that starts with `{` has to hold one JSON object and nothing else: {"command": "noun.verb", "args": {…}}, each name once.',
} as const;

const MAX_REFERENCES = 50;
/** What a wrong character set leaves: replaced characters, and controls such as the escapes of ISO 2022. */
const GARBLED = /\uFFFD|(?!\s)\p{Cc}/u;

// An attached or embedded mail is somebody else's words: it stays an attachment and never becomes text.
const PARSER: SimpleParserOptions & { ignoreEmbedded: true } = {
  ignoreEmbedded: true,
  skipHtmlToText: true,
  skipTextToHtml: true,
  skipImageLinks: true,
  skipTextLinks: true,
};

/** What a proven mail asks for, read from nothing but what its signature covers. Never rejects. */
export async function decodeSigned(mail: SplitMail, signed: ReadonlySet<string>): Promise<Decoded> {
  try {
    const content = signedContent(mail, signed);
    return content ? await decode(content) : explained('unsigned', await subjectOf(mail.headers));
  } catch {
    return explained('unreadable', await subjectOf(mail.headers).catch(() => ''));
  }
}

const explained = (why: keyof typeof EXPLAIN, subject: string): Decoded => ({
  kind: 'explain',
  why,
  subject,
  text: EXPLAIN[why],
});

async function subjectOf(headers: Headers): Promise<string> {
  const mail = await simpleParser(`Subject: ${headers.one('subject') ?? ''}\r\n\r\n`, PARSER);
  return (mail.subject ?? '').trim();
}

/**
 * What a mail asks for: the first line that its sender wrote in the plain-text part, a JSON body, or with an
 * empty body the subject of a new mail. An `approve` or `deny` in answer to an approval mail names the approval it
 * answers.
 */
export async function decode(raw: Buffer): Promise<Decoded> {
  const mail = await simpleParser(raw, PARSER);
  const subject = (mail.subject ?? '').trim();
  const text = mail.text ?? '';
  const read = reading(subject, text, mail.inReplyTo !== undefined, hasWords(mail.html || ''));
  return typeof read === 'string' ? explained(read, subject) : { kind: 'run', subject, body: read };
}

function reading(
  subject: string,
  text: string,
  answers: boolean,
  html: boolean,
): Body | keyof typeof EXPLAIN {
  if (text.trim() === '' && html) return 'html';
  const own = ownText(text);
  const passed = passedOn(subject);
  const forwarded = passed === 'forward';
  if (own.line !== undefined) {
    // Without a mark nobody can tell the sender's own line from the mail that is passed on.
    if (forwarded && !own.marked) return 'forwarded';
    if (GARBLED.test(own.block)) return 'charset';
    return own.line.startsWith('{') ? json(own.block) : vote(own, own.line, subject);
  }
  if (forwarded) return 'forwarded';
  // The subject of an answer was written for the mail before it.
  if (subject === '' || answers || passed === 'reply' || text.trim() !== '') return 'empty';
  return GARBLED.test(subject) ? 'charset' : { text: subject };
}

export interface MailThread {
  /** Message-ID of the mail that began the thread. */
  readonly root: string;
  /** The ids that led to this mail, oldest first, without its own. */
  readonly references: readonly string[];
}

/** Which thread a mail belongs to (RFC 5322 §3.6.4). */
export function threadOf(headers: Headers, messageId: string): MailThread {
  const listed = messageIds(headers.one('references'));
  const all = listed.length > 0 ? listed : messageIds(headers.one('in-reply-to')).slice(0, 1);
  const references =
    all.length > MAX_REFERENCES ? all.slice(0, 1).concat(all.slice(1 - MAX_REFERENCES)) : all;
  return { root: references[0] ?? messageId, references };
}

const APPROVAL = /\bAPR-\d+\b/gi;

/** Only a bare `approve` counts: "approve if …" means something else and is left to the command language. */
function vote(own: OwnText, line: string, subject: string): Body {
  const deny = /^deny\b[\s,:]*(?:because\b[\s,:]*)?([^]*)$/i.exec(own.said);
  if (!deny && !/^approved?\s*[.!]?$/i.test(line)) return { text: line };
  const reason = deny?.[1]?.trim() ?? '';
  if (/^APR-\d+/i.test(reason)) return { text: line };
  const approval = onlyRef(subject.match(/\[APR-\d+\]/gi)) ?? onlyRef(own.foreign.match(APPROVAL));
  if (approval === undefined) return { text: line };
  if (!deny) return { command: 'approval.approve', args: { approval } };
  return { command: 'approval.deny', args: reason === '' ? { approval } : { approval, reason } };
}

function onlyRef(found: readonly string[] | null): string | undefined {
  const refs = new Set(found?.map((ref) => ref.toUpperCase().replace(/[[\]]/g, '')));
  return refs.size === 1 ? [...refs][0] : undefined;
}

/** The braces may be followed by a signature; what stands after the last one is not read. */
function json(block: string): Body | 'json' {
  const text = block.slice(0, block.lastIndexOf('}') + 1);
  try {
    const value = parseJson(Buffer.from(text));
    if (typeof value !== 'object' || value === null || !('command' in value)) return 'json';
    if (namesIn(text) !== countNames(value)) return 'json';
    const { command, ...rest } = value;
    const { args = {}, ...unknown }: { args?: unknown } = rest;
    return typeof command === 'string' && Object.keys(unknown).length === 0 ? { command, args } : 'json';
  } catch {
    return 'json';
  }
}

/** How many members a JSON text writes: more than its value has when one stands twice (RFC 7493 §2.3). */
const namesIn = (text: string): number =>
  text.match(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?/g)?.filter((string) => string.endsWith(':')).length ?? 0;

/** `parseJson` bounds the depth. */
function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce<number>((sum, member) => sum + countNames(member), own);
}

const MAX_HTML_READ = 20_000;

/** Whether HTML shows something; what is long is taken to. Without `<` inside, each tag is looked at once. */
const hasWords = (html: string): boolean =>
  html.length > MAX_HTML_READ || /\S/.test(html.replace(/<[^<>]*>|&nbsp;|&#160;/gi, ''));
