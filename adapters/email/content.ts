import type { Headers, SplitMail } from './header.ts';

/**
 * A mail that says only what its signature covers: the body as it is, and header fields that decide how it is read.
 *
 * Many services sign neither Content-Type nor Content-Transfer-Encoding, so whoever carries the mail may change them:
 * another boundary turns an attached mail into the sender's own text. A field that is not signed is therefore never
 * believed: what it would say is taken from the body, and where that leaves a choice the result is undefined.
 */
export function signedContent({ headers, body }: SplitMail, signed: ReadonlySet<string>): Buffer | undefined {
  const type = signed.has('content-type') ? given(headers) : typeOf(body, headers, signed);
  if (type === undefined) return undefined;
  const multipart = /^multipart\//i.test(type);
  // As an attachment the body would be no text, and the subject the command.
  const shown = /^inline\b/i.test(headers.one('content-disposition') ?? 'inline');
  if (!multipart && !shown) return undefined;
  const encoding = multipart ? undefined : headers.one('content-transfer-encoding');
  const trusted = signed.has('content-transfer-encoding');
  if (!multipart && !trusted && !isLiteral(body, encoding)) return undefined;

  const lines = [
    ['Subject', headers.one('subject')],
    ['In-Reply-To', headers.one('in-reply-to')],
    ['Content-Type', type],
    ['Content-Transfer-Encoding', trusted ? encoding : undefined],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return Buffer.concat([Buffer.from(`${lines.join('')}\r\n`), body]);
}

const TEXT = 'text/plain; charset=utf-8';

const given = (headers: Headers): string => headers.one('content-type') ?? TEXT;

/** The type that the body has by itself, if the field agrees; the kind of multipart is not the carrier's to choose. */
function typeOf(body: Buffer, headers: Headers, signed: ReadonlySet<string>): string | undefined {
  const claimed = given(headers).toLowerCase();
  const text = body.toString('latin1');
  if (claimed.startsWith('multipart/')) {
    const boundary = outerBoundary(text);
    return boundary === undefined ? undefined : `multipart/mixed; boundary="${boundary}"`;
  }
  if (!/^text\/plain\s*(;|$)/.test(claimed)) return undefined;
  const base64 =
    signed.has('content-transfer-encoding') && /base64/i.test(headers.one('content-transfer-encoding') ?? '');
  return isPlain(base64 ? Buffer.from(text, 'base64').toString('latin1') : text) ? TEXT : undefined;
}

/**
 * The boundary of a body that is nothing but parts: it begins and ends with the same one. An inner boundary does not,
 * nor does one that stands below a preamble.
 */
function outerBoundary(text: string): string | undefined {
  const boundary = /^(?:[ \t]*\r\n)*--([\w'()+,./:=?-]{1,70})[ \t]*\r\n/.exec(text)?.[1];
  return boundary !== undefined && text.trimEnd().endsWith(`\n--${boundary}--`) ? boundary : undefined;
}

/** Neither parts nor HTML that lost their type, nor lines that another type (format=flowed) would join. */
const isPlain = (text: string): boolean =>
  !/^\s*(<|--\S)/.test(text) && !/^(?!>|--(?: |=20)\r?$).*\S(?: |=20)\r?$/m.test(text);

/** Whether a body says the same with and without quoted-printable; base64 never does. */
const isLiteral = (body: Buffer, encoding = ''): boolean =>
  /^(7bit|8bit|binary|quoted-printable)?$/i.test(encoding) &&
  !/=(?:[0-9A-F]{2}|[ \t]*(?:\r?\n|$))/i.test(body.toString('latin1'));
