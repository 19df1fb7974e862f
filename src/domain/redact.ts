import type { Json, JsonObject } from './json.ts';

/** What must never reach the journal, a stored answer, a log or another person: by the name of the field … */
const SECRET_NAME =
  /^(?:.*[-_.])?(?:passwords?|passwd|passphrase|secrets?|tokens?|api[-_]?keys?|access[-_]?keys?|private[-_]?keys?|authorization|cookies?|credentials?)$/i;

/** Most names hold none of these, which is the quickest to tell. */
const SECRET_PART = /pass|secret|token|key|authorization|cookie|credential/i;

/** The same in camel case: `clientSecret`. */
const SECRET_CAMEL =
  /[a-z0-9](?:Passwords?|Passwd|Passphrase|Secrets?|Tokens?|ApiKeys?|AccessKeys?|PrivateKeys?|Authorization|Cookies?|Credentials?)$/;

/**
 * … and by shape: our own keys, Slack, GitHub, AWS, Stripe, JSON Web Tokens, PEM blocks. Each begins where its kind of
 * word does and looks ahead before it goes on, so that the time stays linear in the text, whatever it repeats.
 */
const SECRET_TEXT =
  /\bsb_[\w-]{6,}_[\w-]{20,}|\bxox[abeprs]-[\w-]{10,}|\bxapp-[\w-]{10,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bAKIA[0-9A-Z]{16}\b|\b[rs]k_live_\w{10,}|(?<![\w-])(?=[\w-]+\.eyJ[\w-]{10,}\.)[\w-]*?eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;

export const REDACTED = '[redacted]';

export const isSecretName = (name: string): boolean =>
  SECRET_PART.test(name) && (SECRET_NAME.test(name) || SECRET_CAMEL.test(name));

export function redactText(text: string): string {
  return text.length < 12 ? text : text.replace(SECRET_TEXT, REDACTED);
}

/** Whether a text holds a live credential, by its shape. */
export const holdsSecret = (text: string): boolean => redactText(text) !== text;

/** Where a value holds what looks like a secret, by name or by shape: `db.password`; undefined where it does not. */
export function secretIn(value: Json, path = ''): string | undefined {
  if (typeof value === 'string') return holdsSecret(value) ? path : undefined;
  if (value === null || typeof value !== 'object') return undefined;
  for (const [name, item] of Object.entries(value)) {
    if (holdsSecret(name)) return path === '' ? 'a name' : path;
    const at = path === '' ? name : `${path}.${name}`;
    if (!Array.isArray(value) && carries(name, item) && isSecretName(name)) return at;
    const found = secretIn(item, at);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A copy without secrets; what holds none is returned as it is. Applied before hashing. */
export function redact<T extends Json>(value: T): T;
export function redact(value: Json): Json {
  if (typeof value === 'string') return redactText(value);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item: Json) => redact(item));
  const copy: Record<string, Json> = {};
  for (const [name, item] of Object.entries(value as JsonObject)) {
    copy[name] = carries(name, item) && isSecretName(name) ? REDACTED : redact(item);
  }
  return copy;
}

/** Whether a field could carry a secret: nothing, a flag and a count (`tokens: 812`) say none. */
const carries = (name: string, value: Json): boolean =>
  value !== null &&
  value !== '' &&
  typeof value !== 'boolean' &&
  !(typeof value === 'number' && name.endsWith('s'));
