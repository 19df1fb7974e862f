/** The header block of a mail, read so strictly that no other reader can see another sender in it. */
export interface Headers {
  /** Unfolded values of every field of that name, first one first. */
  all(name: string): readonly string[];
  /** The first value, or undefined. */
  one(name: string): string | undefined;
  readonly names: readonly string[];
}

export interface SplitMail {
  readonly headers: Headers;
  readonly body: Buffer;
}

const MAX_HEADER_BYTES = 256 * 1024;
const FIELD = /^([!-9;-~]+):([^]*)$/; // RFC 5322 §2.2, without the obsolete space before the colon

/**
 * Splits a raw mail at its first empty line and reads the header fields (RFC 5322 §2.2, values as UTF-8 by RFC 6532).
 * Returns undefined for what parsers read differently: NUL, a bare CR or LF, a line that is no field, more than 256 KB.
 */
export function splitMail(raw: Buffer): SplitMail | undefined {
  const end = raw.indexOf('\r\n\r\n');
  const head = raw.subarray(0, end < 0 ? raw.length : end);
  if (head.length > MAX_HEADER_BYTES) return undefined;
  const text = head.toString('utf8');
  if (/\0|\r(?!\n)|(?<!\r)\n/.test(text)) return undefined;

  const fields: { name: string; value: string }[] = [];
  for (const line of text
    .replace(/\r\n$/, '')
    .replace(/\r\n(?=[ \t])/g, '')
    .split('\r\n')) {
    const match = FIELD.exec(line);
    if (!match) return undefined;
    fields.push({ name: (match[1] ?? '').toLowerCase(), value: (match[2] ?? '').trim() });
  }
  const all = (name: string) => fields.filter((field) => field.name === name).map((field) => field.value);
  return {
    headers: { all, one: (name) => all(name)[0], names: fields.map((field) => field.name) },
    body: end < 0 ? Buffer.alloc(0) : raw.subarray(end + 4),
  };
}

const MESSAGE_ID = /<[^<>\s@]+@[^<>\s@]+>/g;

/** The message ids in a value of Message-ID, In-Reply-To or References, in order. */
export function messageIds(value: string | undefined): string[] {
  return value?.match(MESSAGE_ID) ?? [];
}
