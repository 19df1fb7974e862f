import { expect, test } from 'vitest';
import { mayRead, readPermission, topicMatches } from '../../src/core/feed.ts';

test.each([
  ['task.created', 'task:read'],
  ['job.failed', 'job:read'],
  ['approval.voted', 'approval:read'],
  ['event.deploy_finished', 'event:read'],
  ['artifact.accepted', 'artifact:read'],
  ['budget.exceeded', 'budget:read'],
  ['channel.deaf', 'channel:read'],
  ['message.dead', 'audit:read'],
  ['command.denied', 'audit:read'],
  ['person.added', 'audit:read'],
  ['key.created', 'audit:read'],
  ['message.dead', 'audit:read'],
  ['config.applied', 'audit:read'],
  ['unknown.thing', 'audit:read'],
  ['task', 'audit:read'],
])('%s takes %s', (event, permission) => {
  expect(readPermission(event)).toBe(permission);
  const who = (...permissions: string[]) =>
    ({ name: 'a', kind: 'person', display: 'A', roles: [], permissions, scopes: ['*'] }) as const;
  expect(mayRead(who(permission), event)).toBe(true);
  expect(mayRead(who('*', `!${permission}`), event)).toBe(false);
  expect(mayRead(who(), event)).toBe(false);
});

test.each([
  ['*', 'job.failed', true],
  ['job.*', 'job.failed', true],
  ['job.failed', 'job.failed', true],
  ['job.failed', 'job.failed_again', false],
  ['job.*', 'jobs.failed', false],
  ['job', 'job.failed', false],
  ['*.failed', 'job.failed', false],
])('the topic %s on %s: %s', (pattern, event, matches) => {
  expect(topicMatches(pattern, event)).toBe(matches);
});
