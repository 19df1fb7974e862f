import { simpleParser, type SimpleParserOptions } from 'mailparser';
import type { Body } from '../../src/core/message.ts';
import { messageIds, type Headers } from './header.ts';
import { ownText, type OwnText } from './text.ts';

export type Decoded = { readonly subject: string } & (
  | { readonly kind: 'run'; readonly body: Body }
  /** Nothing is run; the sender is told why. */
  | { readonly kind: 'explain'; readonly text: string }
);

const EXPLAIN = {
  html: 'Your mail has no plain-text part, so nothing was run. Send it as plain text with the command on its first line.',
  forwarded: 'Forwarded mail is never run. Write a new mail with the command on its first line.',
  empty:
    'Your mail has no line of your own, so nothing was run. Write the command on its first line, above what you quote.',
  json: 'A mail that starts with `{` has to hold one JSON object and nothing else: {"command": "noun.verb", "args": {…}}.',
} as const;

const FORWARD = /^\s*(fwd?|wg|tr|rv|enc|i|vs|vb|doorst|pd)\s*:/i;
const REPLY = /^\s*(re|aw|sv|rif|odp|antw|res|r|ref)\s*(\[\d+\])?\s*:/i;
const MAX_REFERENCES = 50;

// An attached or embedded mail is somebody else's words: it stays an attachment and never becomes text.
const PARSER: SimpleParserOptions & { ignoreEmbedded: true } = {
  ignoreEmbedded: true,
  skipHtmlToText: true,
  skipTextToHtml: true,
  skipImageLinks: true,
  skipTextLinks: true,
};

/**
 * What a proven mail asks for: the first line that its sender wrote in the plain-text part, a JSON body, or with an
 * empty body the subject of a new mail. An `approve` or `deny` in answer to an approval mail names the approval it
 * answers.
 */
export async function decode(raw: Buffer): Promise<Decoded> {
  const mail = await simpleParser(raw, PARSER);
  const subject = (mail.subject ?? '').trim();
  const text = mail.text ?? '';
  const read = reading(subject, text, mail.inReplyTo !== undefined, hasWords(mail.html || ''));
  return typeof read === 'string'
    ? { kind: 'explain', subject, text: EXPLAIN[read] }
    : { kind: 'run', subject, body: read };
}

function reading(
  subject: string,
  text: string,
  answers: boolean,
  html: boolean,
): Body | keyof typeof EXPLAIN {
  if (text.trim() === '' && html) return 'html';
  const own = ownText(text);
  const forwarded = FORWARD.test(subject);
  if (own.line !== undefined) {
    // Without a mark nobody can tell the sender's own line from the mail that is passed on.
    if (forwarded && !own.marked) return 'forwarded';
    return own.line.startsWith('{') ? json(own.block) : vote(own.line, subject, own);
  }
  if (forwarded) return 'forwarded';
  // The subject of an answer was written for the mail before it.
  if (subject === '' || answers || REPLY.test(subject) || text.trim() !== '') return 'empty';
  return { text: subject };
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
function vote(line: string, subject: string, own: OwnText): Body {
  const deny = /^deny\b[\s,:]*(?:because\b[\s,:]*)?([^]*)$/i.exec(line);
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
  try {
    const value: unknown = JSON.parse(block.slice(0, block.lastIndexOf('}') + 1));
    if (typeof value !== 'object' || value === null || !('command' in value)) return 'json';
    const { command, ...rest } = value;
    const { args = {}, ...unknown }: { args?: unknown } = rest;
    return typeof command === 'string' && Object.keys(unknown).length === 0 ? { command, args } : 'json';
  } catch {
    return 'json';
  }
}

const hasWords = (html: string): boolean =>
  /\S/.test(html.slice(0, 100_000).replace(/<[^>]*>|&nbsp;|&#160;/gi, ''));
