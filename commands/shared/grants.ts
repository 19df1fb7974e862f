import type { Ctx } from '../../src/core/command.ts';
import { Refusal } from '../../src/domain/errors.ts';
import type { Principal } from '../../src/domain/principal.ts';
import { coversPattern } from './fields.ts';

/** A list of patterns: what it allows, less what it denies with `!`. */
type Patterns = readonly string[];

const denials = (patterns: Patterns): string[] =>
  patterns.filter((p) => p.startsWith('!')).map((p) => p.slice(1));

const part = (pattern: string, index: 0 | 1): string =>
  pattern === '*' ? '*' : (pattern.split(':', 2)[index] ?? '*');

const overlap = (a: string, b: string): boolean =>
  ([0, 1] as const).every((i) => part(a, i) === part(b, i) || part(a, i) === '*' || part(b, i) === '*');

/** Whether `bound` allows all that `patterns` allows; errs on the side of no. */
export function contains(bound: Patterns, patterns: Patterns): boolean {
  const denied = denials(patterns);
  const allowed = patterns.filter((p) => !p.startsWith('!') && !denied.some((d) => coversPattern(d, p)));
  return allowed.every((wanted) => {
    if (!bound.some((p) => !p.startsWith('!') && coversPattern(p, wanted))) return false;
    return denials(bound)
      .filter((d) => overlap(d, wanted))
      .every((d) => denied.some((own) => coversPattern(own, d)));
  });
}

/**
 * Nobody may grant more than they hold on this message. `lists` must all allow for a thing to be allowed (a role's
 * permissions; a person's permissions and a key's scopes), so one of them inside each bound is enough.
 * @throws Refusal `forbidden`.
 */
export function checkGrant(who: Principal, lists: readonly Patterns[], what: string): void {
  const bounds = [who.permissions, who.scopes];
  if (bounds.every((bound) => lists.some((list) => contains(bound, list)))) return;
  throw new Refusal('forbidden', `${what} would give more than you hold yourself`);
}

/**
 * A way in must not be wider than the one it was made through, whatever roles its owner gets later.
 * @throws Refusal `forbidden`.
 */
export function checkScopes(who: Principal, scopes: Patterns, what: string): void {
  if (!contains(who.scopes, scopes))
    throw new Refusal('forbidden', `${what} would reach further than the key you use`);
}

/** @throws Refusal `conflict` for what the configuration file defines. */
export function checkOrigin(row: { readonly origin: string }, what: string): void {
  if (row.origin !== 'config') return;
  throw new Refusal(
    'conflict',
    `${what} comes from the configuration file (signalbox.yaml); change it there.`,
  );
}

/** A secret is shown once, so only where nobody else reads along and nothing is stored. @throws Refusal `conflict` */
export function checkPrivate({ channel }: Ctx): void {
  if (channel === 'rest' || channel === 'websocket' || channel === 'terminal') return;
  throw new Refusal(
    'conflict',
    'A key is shown once, so ask for it on the terminal, REST or WebSocket, not here.',
  );
}
