import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/message.ts';
import { HOUR, MINUTE } from '../../src/domain/clock.ts';
import type { Json } from '../../src/domain/json.ts';
import { createHarness, type Harness } from '../support/harness.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

const run = (text: string, who = 'ben'): Promise<Answer> => h.run(who, text);
const code = (answer: Answer) => answer.error?.code;
const data = (answer: Answer) => answer.reply.data as Record<string, Json>;
const request = () => run('job run deploy --env staging', 'ana');

describe('approval list and show', () => {
  test('list what waits, the first to expire first, and what is over by its state', async () => {
    await request();
    h.clock.pass(MINUTE);
    await request();
    const ids = async (flags = '') =>
      (data(await run(`approval list ${flags}`))['items'] as { id: string }[]).map((i) => i.id);
    expect(await ids()).toEqual(['APR-1', 'APR-2']);
    expect(await ids('--limit 1')).toEqual(['APR-1']);
    await run('deny APR-1 --reason no');
    expect(await ids()).toEqual(['APR-2']);
    expect(await ids('--state denied')).toEqual(['APR-1']);
    expect((await run('approval list --state expired')).reply.text).toBe('Nothing is expired.');
    expect(code(await run('approval list --state lost'))).toBe('invalid_argument');
  });

  test('show exactly what would run, who may decide and who has', async () => {
    await request();
    await run('approve APR-1 --reason "looks good"');
    const shown = await run('approval show APR-1', 'vic');
    expect(data(shown)).toMatchObject({
      id: 'APR-1',
      state: 'pending',
      invocation: { command: 'job.run', args: { runbook: 'deploy', args: { env: 'staging' } } },
      risk: 'destructive',
      requester: 'ana',
      target: 'JOB-1',
      quorum: 2,
      approvers: { roles: ['approver'], persons: [] },
      votes: [
        { voter: 'ben', decision: 'approve', reason: 'looks good', channel: 'terminal', assurance: 'local' },
      ],
      expiresAt: new Date(h.clock.now().getTime() + HOUR).toISOString(),
      decidedAt: null,
    });
    expect(shown.reply.text).toContain('ben: approve (looks good) by terminal');
    expect(code(await run('approval show APR-9'))).toBe('not_found');
  });
});

describe('voting', () => {
  test('has one meaning in all its forms', async () => {
    await request();
    await request();
    await request();
    expect((await run('approval decide APR-1 approve')).reply.text).toContain('it needs 2 in all');
    expect((await run('approval approve APR-2')).reply.text).toContain('it needs 2 in all');
    expect(data(await run('approval decide APR-3 deny --reason "too late"'))).toMatchObject({
      state: 'denied',
      decidedAt: h.clock.now().toISOString(),
    });
    expect(code(await run('approval decide APR-1 maybe'))).toBe('invalid_argument');
    const { digest } = data(await run('approval show APR-1'));
    const body = { command: 'approval.approve', args: { approval: 'APR-1', digest } };
    expect((await h.run('cho', body)).reply.text).toBe('You approved APR-1. JOB-1 is queued: deploy.');
  });

  test('by REST is answered with the votes, as GET shows them', async () => {
    await request();
    const route = (method: string, path: string) =>
      h.commands.all.find((c) => c.route?.method === method && c.route.path === path)?.name ?? '';
    const post = route('post', '/v1/approvals/{id}/decision');
    const get = { command: route('get', '/v1/approvals/{id}'), args: { id: 'APR-1' } };
    for (const [n, who] of ['ben', 'cho'].entries()) {
      const args = { id: 'APR-1', decision: 'approve', reason: 'fine' };
      const voted = data(await h.run(who, { command: post, args }));
      expect(voted).toEqual(data(await h.run(who, get)));
      expect(voted).toMatchObject({ state: n === 0 ? 'pending' : 'approved' });
      expect(voted['votes']).toHaveLength(n + 1);
      h.clock.pass(MINUTE);
    }
  });

  test('answers whoever decided with the state that follows', async () => {
    await request();
    expect((await run('deny APR-1 --reason no')).reply.text).toBe('APR-1 is denied.');
    await request();
    await run('approve APR-2');
    expect(data(await run('approve APR-2', 'cho'))).toMatchObject({ state: 'approved' });
  });
});
