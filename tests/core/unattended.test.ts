import { expect, test } from 'vitest';
import { commands } from '../../commands/index.ts';
import { mayRunUnattended } from '../../src/core/unattended.ts';

test('what decides, confirms, takes work or says who may do what is for people and workers alone', () => {
  const attended = commands.map(({ name }) => name).filter((name) => !mayRunUnattended(name));
  expect(attended.toSorted()).toEqual([
    'approval.approve',
    'approval.cancel',
    'approval.decide',
    'approval.deny',
    'artifact.accept',
    'artifact.reject',
    'breaker.reset',
    'job.claim',
    'job.complete',
    'job.continue',
    'job.dead.dismiss',
    'job.fail',
    'job.heartbeat',
    'key.create',
    'key.list',
    'key.revoke',
    'key.rotate',
    'link',
    'no',
    'person.add',
    'person.link',
    'person.list',
    'person.remove',
    'person.show',
    'role.add',
    'role.grant',
    'role.list',
    'role.remove',
    'role.revoke',
    'role.show',
    'schedule.add',
    'schedule.list',
    'schedule.pause',
    'schedule.remove',
    'schedule.resume',
    'schedule.show',
    'yes',
  ]);
});
