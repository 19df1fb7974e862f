import { Refusal } from '../../src/domain/errors.ts';
import type { Json } from '../../src/domain/json.ts';
import { parseJson } from '../http.ts';

/**
 * The JSON of a verified body: `application/json` (or `+json`), or GitHub's form with its one field `payload`.
 * @throws Refusal `unsupported_media_type` for other types; `malformed` for what is not well-formed JSON in UTF-8.
 */
export function parsePayload(contentType: string | undefined, raw: Buffer): Json {
  const [type = '', ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((each) => each.startsWith('charset='))?.slice(8);
  if (charset !== undefined && !['utf-8', '"utf-8"', 'utf8'].includes(charset))
    throw new Refusal('unsupported_media_type', 'The charset has to be utf-8.');
  if (type === 'application/json' || /^application\/[\w.-]+\+json$/.test(type)) return parseJson(raw) as Json;
  if (type === 'application/x-www-form-urlencoded') return parseJson(formField(raw)) as Json;
  throw new Refusal('unsupported_media_type', 'Send application/json, or a form with one field "payload".');
}

function formField(raw: Buffer): Buffer {
  const values = new URLSearchParams(raw.toString('latin1')).getAll('payload');
  if (values.length !== 1 || values[0] === undefined)
    throw new Refusal('malformed', 'The form has to have exactly one field "payload".');
  return Buffer.from(values[0]);
}
