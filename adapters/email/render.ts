import { escapeHtml } from '../../src/core/html.ts';
import type { Address, Reply } from '../../src/core/message.ts';
import { isObject, type JsonObject } from '../../src/domain/json.ts';
import { splitAddress } from './address.ts';

export interface Rendered {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** A plus address of ours whose tag proves that the approval mail was read, for approval requests. */
  readonly replyTo: string | undefined;
}

const MAX_SUBJECT = 120;
const MAX_TEXT = 100_000;

/** A reply as a mail to `to`; `own` is our address. */
export function render(to: Address, reply: Reply, own: string): Rendered {
  const data = isObject(reply.data) ? reply.data : {};
  const token = typeof data['mailToken'] === 'string' ? data['mailToken'] : undefined;
  const text = [clip(reply.text, MAX_TEXT), ...howToAnswer(reply, token)].join('\n\n');
  return {
    subject: subjectOf(to, reply, token === undefined ? undefined : approvalRef(data, reply.text)),
    text: `${text}\n`,
    html: `<pre style="font-family:inherit;white-space:pre-wrap">${escapeHtml(text)}</pre>`,
    replyTo: token === undefined ? undefined : tagged(own, token),
  };
}

function howToAnswer(reply: Reply, token: string | undefined): string[] {
  if (token !== undefined) {
    return [
      'To decide, answer this mail with one line at its top: `approve`, or `deny because …` with your reason.',
    ];
  }
  return (reply.actions ?? []).map(({ label, invocation: { command, args }, asks = [] }) => {
    const blanks = Object.fromEntries(asks.map((name) => [name, '…']));
    const filled = asks.length === 0 ? '' : `, with your ${asks.join(' and ')} in place of the dots`;
    return `${label}: answer with the line${filled}\n${JSON.stringify({ command, args: { ...args, ...blanks } })}`;
  });
}

/** `Re:` of the mail that is answered, else the first line; `[APR-12]` in front tells which approval is asked for. */
function subjectOf(to: Address, reply: Reply, ref: string | undefined): string {
  const asked = to.context?.['subject'];
  if (to.thread !== undefined && ref === undefined) {
    const subject = plainSubject(typeof asked === 'string' ? asked : '');
    return /^re:/i.test(subject) ? subject : `Re: ${subject}`.trimEnd();
  }
  const subject = plainSubject(reply.text.split('\n', 1)[0] ?? '');
  return ref === undefined || subject.startsWith(`[${ref}]`) ? subject : `[${ref}] ${subject}`;
}

/** One line without control characters, so that nothing in it can become a header of its own. */
export const plainSubject = (subject: string): string =>
  clip(subject.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim(), MAX_SUBJECT);

function approvalRef(data: JsonObject, text: string): string | undefined {
  const named = [data['approval'], data['ref']].find(
    (ref) => typeof ref === 'string' && /^APR-\d+$/.test(ref),
  );
  return typeof named === 'string' ? named : /\bAPR-\d+\b/.exec(text)?.[0];
}

/** `bot@example.test` with tag `k3y` is `bot+k3y@example.test`. */
function tagged(address: string, tag: string): string {
  const [local, domain] = splitAddress(address);
  return `${local}+${tag}@${domain}`;
}

const clip = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;
