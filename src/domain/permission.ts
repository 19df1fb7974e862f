import type { Principal } from './principal.ts';

/** `noun:verb`, such as `task:create`; patterns may end in `*` per part: `task:*`, `*`. */
export type Permission = `${string}:${string}`;

const covers = (pattern: string, wanted: string): boolean => {
  if (pattern === '*' || pattern === wanted) return true;
  const [noun = '', verb = ''] = pattern.split(':', 2);
  const [wantedNoun = '', wantedVerb = ''] = wanted.split(':', 2);
  return (noun === '*' || noun === wantedNoun) && (verb === '*' || verb === wantedVerb);
};

/** Deny by default; a pattern that starts with `!` denies and wins over any that allows. */
export function permits(patterns: readonly string[], wanted: Permission): boolean {
  let allowed = false;
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) {
      if (covers(pattern.slice(1), wanted)) return false;
    } else if (covers(pattern, wanted)) allowed = true;
  }
  return allowed;
}

/** What the principal may do on this message: its roles allow it and the key or rule used does not narrow it away. */
export function may(who: Principal, wanted: Permission): boolean {
  return permits(who.permissions, wanted) && permits(who.scopes, wanted);
}
