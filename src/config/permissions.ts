import { readPermission } from '../core/feed.ts';
import type { Catalog } from '../domain/catalog.ts';
import { permits, type Permission } from '../domain/permission.ts';
import { dotted, type Path } from './problem.ts';
import { BUILT_IN_ROLES } from './roles.ts';
import type { KnownCommand } from './rules.ts';
import { suggest } from './suggest.ts';

/**
 * What commands ask for besides their own need, for what belongs to others; to be told of channels that are deaf; and all
 * runbooks, whichever there are.
 */
const FURTHER: readonly Permission[] = [
  'person:admin',
  'key:admin',
  'subscription:admin',
  'channel:watch',
  'runbook:*',
];

/** Patterns of the file's roles that match nothing: nearly always a slip, which denies by default and so stays quiet. */
export function permissionNotes(
  { roles, runbooks }: Pick<Catalog, 'roles' | 'runbooks'>,
  commands: Iterable<KnownCommand>,
  place: (path: Path) => string,
): string[] {
  const needed = new Set<Permission>(FURTHER);
  for (const { needs } of commands) if (needs !== 'none') needed.add(needs);
  for (const { permission } of runbooks.values()) needed.add(permission);
  const own = roles.filter((role) => !BUILT_IN_ROLES.includes(role));
  return own.flatMap(({ name, permissions }) =>
    permissions.flatMap((pattern, index) => {
      const bare = pattern.replace(/^!/, '');
      if (readsEvents(bare) || [...needed].some((one) => permits([bare], one))) return [];
      const path = ['roles', name, index];
      const meant = suggest(bare, needed, 'Is it misspelt?');
      return `${place(path)} ${dotted(path.slice(0, 2))}: no command or runbook needs "${pattern}". ${meant}`;
    }),
  );
}

/** Events have read permissions of their own, also those of nouns without a command. */
function readsEvents(pattern: string): boolean {
  const [noun = ''] = pattern.split(':', 1);
  return permits([pattern], readPermission(`${noun}.any`));
}
