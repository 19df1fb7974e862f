import type { CatalogRole } from '../domain/catalog.ts';
import type { Report } from './problem.ts';

/** Roles that exist without being written; a role of the same name in the file replaces its built-in. */
export const BUILT_IN_ROLES: readonly CatalogRole[] = [
  { name: 'admin', permissions: ['*'] },
  {
    name: 'operator',
    permissions: [
      'task:*',
      'job:*',
      'runbook:*',
      'probe:*',
      'lease:*',
      'schedule:*',
      'subscription:*',
      'artifact:*',
      'breaker:read',
      'channel:read',
      'approval:read',
      'approval:decide',
      'agent:read',
      'event:read',
      'person:read',
      'report:read',
      'usage:read',
      'budget:read',
      'key:create',
    ],
  },
  { name: 'viewer', permissions: ['*:read', '!audit:read'] },
];

const PART = '(?:\\*|[a-z][a-z0-9_-]*)';
const PATTERN = new RegExp(`^!?(?:\\*|${PART}:${PART})$`);
const PERMISSION = /^[a-z][a-z0-9_-]*:[a-z][a-z0-9_-]*$/;

/** `noun:verb` without wildcards: what a runbook asks for. */
export const isPermission = (text: string): text is `${string}:${string}` => PERMISSION.test(text);

/** The file's roles and the built-in ones that it does not redefine. */
export function compileRoles(read: ReadonlyMap<string, readonly string[]>, report: Report): CatalogRole[] {
  const own = Array.from(read, ([name, permissions]) => ({ name, permissions }));
  for (const { name, permissions } of own)
    permissions.forEach((pattern, index) => {
      if (PATTERN.test(pattern)) return;
      const message = `roles.${name}: "${pattern}" is not a permission.`;
      report(
        'SBX007',
        ['roles', name, index],
        message,
        'Write noun:verb, noun:*, *:verb or *; a leading ! denies.',
      );
    });
  return [...BUILT_IN_ROLES.filter(({ name }) => !read.has(name)), ...own];
}
