import fc from 'fast-check';
import { expect, test } from 'vitest';
import { may, permits, type Permission } from '../../src/domain/permission.ts';

test.each<[readonly string[], Permission, boolean]>([
  [[], 'task:read', false],
  [['task:read'], 'task:read', true],
  [['task:read'], 'task:create', false],
  [['task:*'], 'task:create', true],
  [['task:*'], 'tasks:create', false],
  [['*:read'], 'job:read', true],
  [['*:read'], 'job:run', false],
  [['*'], 'runbook:deploy', true],
  [['*', '!runbook:deploy'], 'runbook:deploy', false],
  [['!runbook:*', 'runbook:deploy'], 'runbook:deploy', false],
  [['!*'], 'task:read', false],
  [['!task:move'], 'task:read', false],
  [['task'], 'task:read', false],
  [[''], 'task:read', false],
])('%j allows %s: %s', (patterns, wanted, allowed) => {
  expect(permits(patterns, wanted)).toBe(allowed);
});

test('what was used to come in narrows what the roles allow, and never widens it', () => {
  const who = (permissions: string[], scopes: string[]) =>
    ({ name: 'ana', kind: 'person', display: 'Ana', roles: [], permissions, scopes }) as const;
  expect(may(who(['*'], ['task:*']), 'task:read')).toBe(true);
  expect(may(who(['*'], ['task:*']), 'job:read')).toBe(false);
  expect(may(who(['task:read'], ['*']), 'job:read')).toBe(false);
  expect(may(who(['*'], []), 'task:read')).toBe(false);
});

test('property: a denial wins over whatever stands beside it, in any order', () => {
  const pattern = fc.constantFrom('*', 'task:*', '*:read', 'task:read', 'job:*');
  fc.assert(
    fc.property(fc.array(pattern), fc.array(pattern), (before, after) => {
      expect(permits([...before, '!task:read', ...after], 'task:read')).toBe(false);
    }),
  );
});
