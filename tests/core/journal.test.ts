import { afterEach, beforeEach, expect, test } from 'vitest';
import Database from 'better-sqlite3';
import { verifyChains } from '../../src/domain/chains.ts';
import { readJournal } from '../../src/store/sqlite/read-journal.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { approval, byMail, job, onSlack } from './support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

test('correlation id and cause go from the message to entries, request, job and their followers', async () => {
  const answer = await h.run('', 'job run deploy --env staging', {
    ...onSlack('ana'),
    correlationId: 'corr-1',
    cause: 'delivery-9',
  });
  expect(answer.correlationId).toBe('corr-1');
  const asked = (await h.entries()).filter((e) => e.correlationId === 'corr-1');
  const [accepted] = asked;
  expect(asked.map((e) => [e.event, e.cause])).toEqual([
    ['command.accepted', 'delivery-9'],
    ['job.waiting', accepted?.id],
    ['approval.requested', accepted?.id],
  ]);
  expect(await job(h)).toMatchObject({ correlationId: 'corr-1', cause: accepted?.id });
  expect(await approval(h)).toMatchObject({ correlationId: 'corr-1' });
});

test('the command that an approval released is recorded as the requester’s, with the approval and the vote’s cause', async () => {
  const { correlationId } = await h.run('ana', 'job run deploy --env staging');
  await h.run('ben', 'approve APR-1');
  await h.run('', 'approve APR-1', { ...onSlack('cho'), correlationId: 'corr-2' });
  const vote = (await h.entries()).slice(-5);
  // Whoever follows the request's own id finds its release, too.
  expect(vote.map((e) => e.correlationId)).toEqual([
    ...Array(3).fill('corr-2'),
    correlationId,
    correlationId,
  ]);
  expect(vote.map((e) => [e.event, e.actor, e.target])).toEqual([
    ['command.accepted', 'cho', 'approval.approve'],
    ['approval.voted', 'cho', 'APR-1'],
    ['approval.approved', 'cho', 'APR-1'],
    ['command.accepted', 'ana', 'job.run'],
    ['job.queued', 'ana', 'JOB-1'],
  ]);
  expect(vote[3]?.details).toMatchObject({ approval: 'APR-1' });
  expect(vote[4]?.cause).toBe(vote[3]?.id);
});

test('a read leaves no entry', async () => {
  const before = await h.entries();
  for (const text of ['status', 'help', 'whoami', 'task list', 'job list', 'audit search', 'approval list'])
    expect((await h.run('ana', text)).status).toBe('ok');
  expect(await h.entries()).toEqual(before);
});

test('a vote by mail is recorded with how it was proven', async () => {
  await h.run('ana', 'job run deploy --env staging');
  await h.run('', 'approve APR-1', byMail('ben', 'wrong'));
  expect((await h.entries()).at(-1)).toMatchObject({
    event: 'command.denied',
    details: { channel: 'email', assurance: 'dkim', identity: 'email:ben@example.test' },
  });
});

test('details and salt can be erased together, nothing else can be changed, and the chain holds', async () => {
  await h.run('ana', 'task create "Call Mr Example"');
  const db = new Database(h.file);
  const change = (set: string) => db.prepare(`UPDATE journal SET ${set} WHERE event = 'task.created'`).run();
  for (const set of [`actor = 'eve'`, `details = '{}'`, `salt = NULL`, `seq = 99`, `event = 'x'`])
    expect(() => change(set), set).toThrow(/append-only/);
  expect(() => db.prepare('DELETE FROM journal').run()).toThrow(/append-only/);
  change('details = NULL, salt = NULL');
  db.close();
  expect((await h.entries()).at(-1)).toMatchObject({ event: 'task.created', details: {}, salt: null });
  expect((await verifyChains(readJournal(h.file))).fault).toBeUndefined();
});
