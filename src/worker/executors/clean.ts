import type { Json, JsonObject } from '../../domain/json.ts';
import { REDACTED, redactText } from '../../domain/redact.ts';
import type { Templates } from './template.ts';

/** Text from outside as it may be kept: without secrets, without NUL (which PostgreSQL's text cannot hold), well-formed. */
export const cleanText = (text: string, templates: Templates): string =>
  redactText(templates.hide(text)).replaceAll('\0', '\uFFFD').toWellFormed();

/** The same for every text and name in a value; a secret of digits alone may have become a number. */
export function cleanJson<T extends Json>(value: T, templates: Templates): T;
export function cleanJson(value: Json, templates: Templates): Json {
  if (typeof value === 'string') return cleanText(value, templates);
  if (typeof value === 'number') return templates.hide(String(value)) === REDACTED ? REDACTED : value;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item: Json) => cleanJson(item, templates));
  return Object.fromEntries(
    Object.entries(value as JsonObject).map(([name, item]) => [
      cleanText(name, templates),
      cleanJson(item, templates),
    ]),
  );
}
