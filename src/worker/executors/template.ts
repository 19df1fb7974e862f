import { readFileSync, statSync } from 'node:fs';
import { Refusal } from '../../domain/errors.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import { SELF } from '../../domain/runbook.ts';
import { holdsLive, isSecretName, REDACTED } from '../../domain/redact.ts';
import type { ExecutorDeps } from './execution.ts';
import { formsOf } from './secret-forms.ts';

/** How an argument is written where it lands, so that it stays one value there. */
export type Place = 'text' | 'url' | 'json' | 'form';

const PART = /\$\{([^}]*)\}/g;
/** Shorter values (`1`, `on`) are settings rather than secrets; hiding them would garble every line. */
const SHORTEST_SECRET = 4;
/** Bytes. */
const LARGEST_FILE = 65_536;

/** Fills templates of one execution and remembers which secrets went out, to hide them again. */
export class Templates {
  readonly #args: JsonObject;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #self: string | undefined;
  readonly #sandboxed: boolean;
  /** In each of their forms, the longest first: one may be a part of another. */
  #secrets: readonly string[] = [];

  constructor(args: JsonObject, { env, self, sandbox }: Pick<ExecutorDeps, 'env' | 'self' | 'sandbox'>) {
    this.#args = args;
    this.#env = env;
    this.#self = self;
    this.#sandboxed = sandbox !== undefined;
  }

  /**
   * Fills `${args.name}`, `${env:NAME}` and `${file:/path}`, and `${self}` where a `url` begins with it. In a `url` an argument is percent-encoded unless the URL begins with it;
   * in `json` and `form` it is escaped as those ask. Environment values are the operator's and go in as they are.
   * @throws Refusal `invalid_argument` for a value that is missing or cannot be written there, or an unknown template;
   * `forbidden`, which names `where` and not the value, where a sandbox would send a live credential.
   */
  fill(template: string, place: Place = 'text', where = 'a text'): string {
    const filled = this.#fill(template, place);
    if (this.#sandboxed && holdsLive(filled))
      throw new Refusal(
        'forbidden',
        `This workspace is a sandbox, and ${where} holds what looks like a live key; give it one for tests.`,
      );
    return filled;
  }

  #fill(template: string, place: Place): string {
    return template.replace(PART, (whole, name: string, offset: number) => {
      if (name.startsWith('env:')) return this.#fromEnvironment(name.slice(4));
      if (name.startsWith('file:/')) return this.#fromFile(name.slice(5));
      if (name.startsWith('args.'))
        return this.#argument(name.slice(5), place === 'url' && offset === 0 ? 'text' : place);
      if (whole === SELF && place === 'url' && offset === 0 && this.#self !== undefined) return this.#self;
      throw new Refusal(
        'invalid_argument',
        `${whole} is not a template: use \${args.name}, \${env:NAME} or \${file:/path}.`,
      );
    });
  }

  /** `what` they are: `the header`. */
  fillAll(templates: Readonly<Record<string, string>>, what: string): Record<string, string> {
    return Object.fromEntries(
      Object.entries(templates).map(([name, value]) => [name, this.fill(value, 'text', `${what} ${name}`)]),
    );
  }

  /** Text without the secrets that were filled in, however written: references, and arguments whose name tells. */
  hide(text: string): string {
    let hidden = text;
    for (const secret of this.#secrets) hidden = hidden.replaceAll(secret, REDACTED);
    return hidden;
  }

  /** The length of the longest value to hide. */
  get longestSecret(): number {
    return this.#secrets[0]?.length ?? 0;
  }

  #fromEnvironment(name: string): string {
    const value = this.#env[name];
    if (value === undefined)
      throw new Refusal('invalid_argument', `The environment variable ${name} is not set.`);
    return this.#reference(value);
  }

  /** As orchestrators mount secrets; the line break that editors end a file with is no part of it. */
  #fromFile(path: string): string {
    let value: string;
    try {
      if (statSync(path).size > LARGEST_FILE) throw new RangeError('too large');
      value = readFileSync(path, 'utf8');
    } catch (cause) {
      throw new Refusal('invalid_argument', `The file ${path} cannot be read, or is no secret’s.`, { cause });
    }
    return this.#reference(value.replace(/\r?\n$/, ''));
  }

  #reference(value: string): string {
    // A key of several lines comes out line by line.
    this.#remember([value, ...value.split(/\r?\n/)]);
    return value;
  }

  #remember(secrets: readonly string[]): void {
    const forms = secrets
      .filter((secret) => secret.length >= SHORTEST_SECRET)
      .flatMap((secret) => [...formsOf(secret)])
      .filter((form) => form.length >= SHORTEST_SECRET);
    this.#secrets = [...new Set([...this.#secrets, ...forms])].toSorted((a, b) => b.length - a.length);
  }

  #argument(name: string, place: Place): string {
    const value = Object.hasOwn(this.#args, name) ? this.#args[name] : undefined;
    if (value === undefined)
      throw new Refusal('invalid_argument', `The runbook needs the argument "${name}".`);
    const text = write(name, value, place);
    if (isSecretName(name) && typeof value === 'string') this.#remember([value, text]);
    return text;
  }
}

function write(name: string, value: Json, place: Place): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (place === 'text') return text;
  if (place === 'json') return typeof value === 'string' ? JSON.stringify(value).slice(1, -1) : text;
  // As a path segment these would climb; percent-encoding does not change them.
  if (place === 'url' && (text === '.' || text === '..'))
    throw new Refusal('invalid_argument', `The argument "${name}" cannot be "${text}" in a URL.`);
  if (!text.isWellFormed())
    throw new Refusal('invalid_argument', `The argument "${name}" holds half of a surrogate pair.`);
  return encodeURIComponent(text);
}
