import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../src/domain/errors.ts';
import { parseJson } from './json.ts';

/** Bytes; what may be longer says so itself. */
const LIMIT = 1024 * 1024;
/** A body that is too large is read to its end up to here, so that the sender hears why and keeps its connection. */
const DRAIN = 16 * LIMIT;

const JSON_TYPE = /^application\/json[ \t]*(;[ \t]*charset=("?)utf-8\2[ \t]*)?$/i;

/**
 * The raw body. @throws Refusal `too_large` above `limit` bytes, `unsupported_media_type` for an encoded one,
 * `malformed` when the sender hangs up in the middle.
 */
export function readBody(req: IncomingMessage, limit = LIMIT): Promise<Buffer> {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return Promise.reject(
      new Refusal('unsupported_media_type', `Send the body as it is, without ${encoding}.`),
    );
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const tooLarge = () => reject(new Refusal('too_large', `The body is larger than ${limit} bytes.`));
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else chunks.length = 0;
      if (size > DRAIN) tooLarge();
    });
    req.on('end', () => {
      if (size > limit) tooLarge();
      else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    });
    req.on('error', (cause) => reject(new Refusal('malformed', 'The body was cut off.', { cause })));
  });
}

/**
 * The body as strict JSON; undefined when there is none.
 * @throws Refusal `unsupported_media_type` unless it says `application/json`, and what `readBody` and `parseJson` throw.
 */
async function readJson(req: IncomingMessage, limit: number | undefined): Promise<unknown> {
  const type = req.headers['content-type'];
  if (type !== undefined && type !== 'application/json' && !JSON_TYPE.test(type))
    throw new Refusal(
      'unsupported_media_type',
      `Expected application/json in UTF-8, got ${type.slice(0, 100)}.`,
    );
  const bytes = await readBody(req, limit);
  if (bytes.length === 0) return undefined;
  if (type === undefined)
    throw new Refusal('unsupported_media_type', 'Expected the header Content-Type: application/json.');
  return parseJson(bytes);
}

/**
 * The body as a JSON object, an absent one as `{}`. `limit`: bytes; a megabyte unless told.
 * @throws Refusal as `readJson`; `malformed` for any other JSON value.
 */
export async function readObject(req: IncomingMessage, limit?: number): Promise<Record<string, unknown>> {
  const value = await readJson(req, limit);
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Refusal('malformed', 'Expected a JSON object.');
  return value as Record<string, unknown>;
}
