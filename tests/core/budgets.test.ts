import { afterEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/message.ts';
import type { ApprovalPolicy } from '../../src/domain/approval.ts';
import type { Budget } from '../../src/domain/catalog.ts';
import { SECOND } from '../../src/domain/clock.ts';
import type { Usage } from '../../src/domain/job.ts';
import { usageTotals } from '../../src/domain/records.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { endTry } from '../support/tries.ts';
import { approval, events, job, rows } from './support.ts';

describe.each(DATABASES)('on %s', (_database, open) => {
  let h: Harness;
  afterEach(() => h.close());

  const budget = (over: Partial<Budget>): Budget => ({
    name: 'plenty',
    runbook: undefined,
    per: 'day',
    runs: undefined,
    cost: undefined,
    units: {},
    approval: undefined,
    ...over,
  });
  const policy = (over: Partial<ApprovalPolicy> = {}): ApprovalPolicy => ({
    quorum: 1,
    roles: [],
    persons: ['ana'],
    timeout: 600 * SECOND,
    ...over,
  });
  const configure = async (...budgets: Budget[]) => {
    h = await open({ budgets });
  };
  const run = (text = 'job run restart', who = 'ben'): Promise<Answer> => h.run(who, text);
  const code = (answer: Answer) => answer.error?.code;
  const data = (answer: Answer) => answer.reply.data;
  const used = (usage: Usage) => endTry(h, { kind: 'done', result: {}, usage });
  const MIDNIGHT = '2026-03-03T00:00:00.000Z';
  const MORNING = 9 * 3_600 * SECOND; // the clock of the tests starts at 09:00 UTC on 2 March 2026

  describe('a budget of runs', () => {
    test('lets as many in as it says, and names itself, what is used and when it resets', async () => {
      await configure(budget({ name: 'few', runs: 2 }));
      for (const _ of [1, 2]) expect(code(await run())).toBeUndefined();
      expect(await run()).toMatchObject({
        reply: {
          text: `The budget few is spent: 2 of 2 runs this day. It resets at ${MIDNIGHT}.`,
        },
        error: { code: 'rate_limited', retryAfter: 24 * 3_600 * SECOND - MORNING },
      });
      expect(await rows(h, usageTotals)).toMatchObject([
        { id: 'day:2026-03-02|budget:few', scope: 'budget:few', period: '2026-03-02', runs: 2 },
      ]);
    });

    test('leaves the refusal in the journal, and nothing else of the command', async () => {
      await configure(budget({ name: 'few', runs: 1 }));
      await run();
      const before = (await h.entries()).length;
      await run();
      const after = (await h.entries()).slice(before);
      expect(after).toMatchObject([
        {
          event: 'budget.exceeded',
          actor: 'ben',
          target: 'few',
          details: { runbook: 'restart', spent: ['1 of 1 runs'], resets: MIDNIGHT, outcome: 'refused' },
        },
      ]);
    });

    test('uses up no key: who comes back when told to, with the same one, is let in', async () => {
      await configure(budget({ name: 'few', runs: 1 }));
      await run();
      const keyed = () => h.run('ben', 'job run restart', { dedupeKey: 'delivery-1' });
      const refused = await keyed();
      expect(await keyed()).toMatchObject({ error: { code: 'rate_limited' } });
      h.clock.pass(refused.error?.retryAfter ?? 0);
      const first = await keyed();
      expect(first.status).toBe('ok');
      expect(await keyed()).toEqual(first);
    });

    test('begins anew at midnight by UTC, or on the first of the month', async () => {
      await configure(budget({ name: 'daily', runs: 1 }), budget({ name: 'monthly', per: 'month', runs: 2 }));
      await run();
      h.clock.pass(24 * 3_600 * SECOND - MORNING - 1);
      expect(h.clock.now().toISOString()).toBe('2026-03-02T23:59:59.999Z');
      expect((await run()).reply.text).toContain('The budget daily is spent');
      h.clock.pass(1);
      expect(code(await run())).toBeUndefined();
      h.clock.pass(24 * 3_600 * SECOND);
      expect((await run()).reply.text).toBe(
        'The budget monthly is spent: 2 of 2 runs this month. It resets at 2026-04-01T00:00:00.000Z.',
      );
      h.clock.pass(28 * 24 * 3_600 * SECOND);
      expect(h.clock.now().toISOString()).toBe('2026-04-01T00:00:00.000Z');
      expect(code(await run())).toBeUndefined();
    });

    test('of one runbook leaves the others alone, and probes are in none', async () => {
      await configure(
        budget({ name: 'all', runs: 2 }),
        budget({ name: 'deploys', runbook: 'deploy', runs: 1 }),
      );
      for (const _ of [1, 2]) expect(code(await run())).toBeUndefined();
      expect((await run()).reply.text).toContain('The budget all is spent');
      expect(code(await run('probe run api'))).toBeUndefined();
    });

    test('counts a retry as a run, and tries of one run as one', async () => {
      await configure(budget({ name: 'few', runs: 2 }));
      await run();
      await endTry(h, { kind: 'retry', reason: 'busy', failure: 'server' });
      h.clock.pass(3_600 * SECOND);
      await endTry(h, { kind: 'fail', reason: 'broken', failure: 'refused' });
      expect(code(await run('job retry JOB-1'))).toBeUndefined();
      await endTry(h, { kind: 'fail', reason: 'broken', failure: 'refused' });
      expect(code(await run('job retry JOB-1'))).toBe('rate_limited');
      expect(code(await run('job run --again JOB-1'))).toBe('rate_limited');
      expect(await job(h)).toMatchObject({ state: 'failed' });
    });

    test('counts what waits for an approval when it is released, and holds then as well', async () => {
      await configure(budget({ name: 'few', runs: 1 }));
      await h.run('ana', 'person add dan --roles approver');
      for (const _ of [1, 2])
        expect((await run('job run deploy --env staging')).status).toBe('pending_approval');
      for (const ref of ['APR-1', 'APR-2'])
        for (const who of ['cho', 'dan']) await h.run(who, `approve ${ref}`);
      expect(await job(h)).toMatchObject({ state: 'queued' });
      expect(await job(h, 'JOB-2')).toMatchObject({
        state: 'cancelled',
        error: expect.stringContaining('few'),
      });
    });
  });

  describe('a budget of cost and units', () => {
    test('is spent once ended tries have reported as much; what still runs is let end', async () => {
      await configure(budget({ name: 'money', cost: 1_000_000, units: { tokens: 1_000 } }));
      await run();
      await run();
      await used({ units: { tokens: 400 }, cost: 600_000 });
      expect(code(await run())).toBeUndefined();
      await used({ units: { tokens: 700 }, cost: 300_000 });
      expect(await job(h, 'JOB-2')).toMatchObject({ state: 'succeeded' });
      expect((await run()).reply.text).toContain('The budget money is spent: 1100 of 1000 tokens this day.');
      await used({ units: {}, cost: 100_000 });
      expect((await run()).reply.text).toContain('1100 of 1000 tokens, cost 1.00 of 1.00');
    });

    test('of a runbook looks at that runbook alone', async () => {
      await configure(budget({ name: 'deploys', runbook: 'deploy', cost: 1 }));
      await run();
      await used({ units: {}, cost: 5_000_000 });
      expect(code(await run())).toBeUndefined();
      expect((await run('job run deploy --env staging')).status).toBe('pending_approval');
    });

    test('counts a failed try and one whose claim was lost, as both were used', async () => {
      await configure(budget({ name: 'money', cost: 3 }));
      await run();
      await endTry(h, { kind: 'retry', reason: 'busy', failure: 'server', usage: { units: {}, cost: 1 } });
      h.clock.pass(3_600 * SECOND);
      await endTry(h, { kind: 'cancelled', usage: { units: {}, cost: 2 } });
      expect((await job(h)).usage).toEqual({ units: {}, cost: 3 });
      expect(code(await run())).toBe('rate_limited');
    });
  });

  describe('a budget that asks for an approval', () => {
    const asking = budget({ name: 'few', runs: 1, approval: policy() });

    test('asks once it is spent, and lets the run in when it is given', async () => {
      await configure(asking);
      await run();
      const why = 'The budget few is spent: 1 of 1 runs this day.';
      expect(await run()).toMatchObject({
        status: 'pending_approval',
        reply: { text: expect.stringMatching(new RegExp(`\\(ana\\) until .* UTC\\. ${why}$`)) },
      });
      // Who decides is told what it is about: the budget, and not only the command.
      const shown = await h.run('ana', 'approval show APR-1');
      expect(shown.reply.text).toContain(`job run restart\n${why}\nRisk:`);
      expect(data(shown)).toMatchObject({ because: [why] });
      expect(await events(h, /^budget\.exceeded$/)).toMatchObject([
        { target: 'few', details: { outcome: 'approval' } },
      ]);
      expect(await job(h, 'JOB-2')).toMatchObject({ state: 'waiting' });
      await h.run('ana', 'approve APR-1');
      expect(await job(h, 'JOB-2')).toMatchObject({ state: 'queued' });
    });

    test('gives way to one that refuses', async () => {
      await configure(asking, budget({ name: 'final', runs: 1 }));
      await run();
      expect((await run()).reply.text).toContain('The budget final is spent');
    });

    test('comes on top of the runbook’s own approval: both have to be met', async () => {
      await configure(asking);
      await run();
      await h.run('ana', 'person add dan --roles approver');
      const asked = await run('job run deploy --env staging');
      expect(asked.reply.text).toContain('2 approvals (role approver) and 1 approval (ana)');
      const both = { quorum: 2, timeout: 600 * SECOND, and: { quorum: 1, persons: ['ana'] } };
      expect((await approval(h)).policy).toMatchObject(both);
      await h.run('cho', 'approve APR-1');
      expect((await h.run('dan', 'approve APR-1')).reply.text).toContain('it needs 2 and 1 in all');
      expect(await job(h, 'JOB-2')).toMatchObject({ state: 'waiting' });
      expect(data(await h.run('ana', 'approval show APR-1'))).toMatchObject({
        quorum: 2,
        further: [{ quorum: 1, approvers: { roles: [], persons: ['ana'] } }],
      });
      await h.run('ana', 'approve APR-1');
      expect(await job(h, 'JOB-2')).toMatchObject({ state: 'queued' });
    });

    test('does not take an approval that was given for less', async () => {
      await configure(asking);
      await run('job run deploy --env staging');
      await run();
      await h.run('cho', 'approve APR-1');
      await h.run('ana', 'person add dan --roles approver');
      const last = await h.run('dan', 'approve APR-1');
      expect(last.reply.text).toContain('so a run needs an approval for it: ask anew');
      expect(await job(h)).toMatchObject({ state: 'cancelled' });
    });

    test('is no way around it for a retry, which asks nobody', async () => {
      await configure(asking);
      await run();
      await endTry(h, { kind: 'fail', reason: 'broken', failure: 'refused' });
      expect(code(await run('job retry JOB-1'))).toBe('conflict');
    });
  });

  test('without a budget a run writes no total', async () => {
    await configure();
    await run();
    expect(await rows(h, usageTotals)).toEqual([]);
  });
});
