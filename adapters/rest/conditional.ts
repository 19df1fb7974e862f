import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../src/domain/errors.ts';
import { etagOf } from '../../src/domain/etag.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';

/** `*`, or entity tags (RFC 9110, 8.8.3) between commas; a list may have empty elements (5.6.1.2). */
const IF_MATCH = /^(?:\*|[ \t,]*(?:(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t,]*|$))+)$/;

/**
 * The entity tags that a change is made against, or `*` (RFC 9110, 13.1.1), as they were sent. The command compares
 * them with the quotes on, strongly: a weak one is well formed and matches nothing.
 * @throws Refusal `precondition_required` where it is required and absent, `malformed` for anything else.
 */
export function ifMatchOf(req: IncomingMessage, required: boolean): string | undefined {
  const value = req.headers['if-match'];
  if (value === undefined) {
    if (required)
      throw new Refusal(
        'precondition_required',
        'Send If-Match with the ETag of what you read (or * for any).',
      );
    return undefined;
  }
  if (!IF_MATCH.test(value))
    throw new Refusal('malformed', 'If-Match takes entity tags in quotes, as in the ETag header, or *.');
  return value;
}

/** The strong entity tag of a versioned view; other data has none. */
export function tagOf(data: Json | undefined): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  return typeof (data as JsonObject)['version'] === 'number' ? etagOf(data) : undefined;
}

/** Whether the sender holds this representation already (RFC 9110, 13.1.2: weak comparison). */
export function isHeld(req: IncomingMessage, tag: string): boolean {
  const held = req.headers['if-none-match'];
  if (held === undefined) return false;
  return held.trim() === '*' || held.split(',').some((one) => one.trim().replace(/^W\//, '') === tag);
}
