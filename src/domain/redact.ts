import { Refusal } from './errors.ts';
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
 * … and by shape: credentials that open something real. Each begins where its kind of word does and looks ahead before
 * it goes on, so that the time stays linear in the text, whatever it repeats.
 */
const LIVE: readonly RegExp[] = [
  /\bsb_[0-9A-Za-z-]{1,64}_[\w-]{20,}/, // our own keys
  /\bxox[abeoprs]-[\w-]{10,}|\bxapp-[\w-]{10,}/, // Slack
  /\bgh[opsur]_\w{16,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}/, // GitHub, GitLab
  /\b[rs]k_live_\w{10,}|\bwhsec_[\w+/=-]{16,}/, // Stripe, Standard Webhooks
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}/, // AWS, Google
  /\bsk-(?:proj|ant|svcacct|admin)-[\w-]{16,}|\bsk-[0-9A-Za-z]{32,}/, // OpenAI, Anthropic
  /\bSG\.[\w-]{16,}\.[\w-]{16,}|\b(?:npm|hf)_[0-9A-Za-z]{30,}|\bpypi-[\w-]{32,}/, // SendGrid, npm, Hugging Face, PyPI
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/,
];

/** … and those of which nobody can tell whether they are a test's: Stripe's for tests, JSON Web Tokens, passwords in URLs. */
const PERHAPS_LIVE: readonly RegExp[] = [
  /\b[rs]k_test_\w{10,}/,
  /(?<![\w-])(?=[\w-]+\.eyJ[\w-]{10,}\.)[\w-]*?eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*/,
  /(?<=:\/\/[^/\s:@]{0,200}:)[^/\s@]{3,}(?=@)/,
];

const oneOf = (shapes: readonly RegExp[]): string => shapes.map(({ source }) => source).join('|');
const LIVE_TEXT = new RegExp(oneOf(LIVE));
const SECRET_TEXT = new RegExp(oneOf([...LIVE, ...PERHAPS_LIVE]), 'g');
/** What may be base64, as `Basic` has it. */
const ENCODED = /[\w+/-]{16,}/g;

export const REDACTED = '[redacted]';

export const isSecretName = (name: string): boolean =>
  SECRET_PART.test(name) && (SECRET_NAME.test(name) || SECRET_CAMEL.test(name));

export function redactText(text: string): string {
  return text.length < 12 ? text : text.replace(SECRET_TEXT, REDACTED);
}

/** Whether a text holds a credential, by its shape. */
export const holdsSecret = (text: string): boolean => redactText(text) !== text;

/** Whether it holds one that is no test's, in base64 too. */
export const holdsLive = (text: string): boolean =>
  LIVE_TEXT.test(text) ||
  (text.match(ENCODED) ?? []).some((word) => LIVE_TEXT.test(Buffer.from(word, 'base64').toString('latin1')));

/** @throws Refusal `invalid_argument` that names the argument which looks like a secret. */
export function refuseSecrets(args: JsonObject): void {
  const secret = secretIn(args);
  if (secret !== undefined)
    throw new Refusal(
      'invalid_argument',
      `--${secret} looks like a secret, and arguments are stored: let a runbook fill it from a reference, ` +
        '${env:NAME} or ${file:/run/secrets/name}.',
    );
}

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
