import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/message.ts';
import { SECOND } from '../../src/domain/clock.ts';
import type { Usage } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { usageTotals } from '../../src/domain/records.ts';
import { countUsage } from '../../src/core/usage.ts';
import { events, job, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { endTry } from '../support/tries.ts';

const DAY = 24 * 3_600 * SECOND;

describe.each(DATABASES)('on %s', (_database, open) => {
  let h: Harness;
  beforeEach(async () => {
    const none = { runbook: undefined, runs: undefined, cost: undefined, units: {}, approval: undefined };
    const approval = { quorum: 1, roles: ['approver'], persons: [], timeout: SECOND };
    h = await open({
      budgets: [
        { ...none, name: 'few', runbook: 'restart', per: 'day', runs: 1 },
        { ...none, name: 'money', per: 'month', cost: 2_000_000, units: { tokens: 1_000 }, approval },
      ],
    });
  });
  afterEach(() => h.close());

  const show = (text = ''): Promise<Answer> => h.run('ana', `usage show ${text}`);
  const data = (answer: Answer) => answer.reply.data as JsonObject;
  const use = async (units: Usage['units'], cost: number, who = 'ben') => {
    expect((await h.run(who, 'probe run api')).status).toBe('ok');
    await endTry(h, { kind: 'done', result: {}, usage: { units, cost } });
  };

  describe('what a job reports', () => {
    test('is the sum over its tries, shown with the job and journalled with its end', async () => {
      await h.run('ben', 'job run restart');
      await endTry(h, {
        kind: 'retry',
        reason: 'busy',
        failure: 'server',
        usage: { units: { tokens: 5 }, cost: 1 },
      });
      h.clock.pass(3_600 * SECOND);
      await endTry(h, { kind: 'done', result: {}, usage: { units: { tokens: 7 }, cost: 999_999 } });
      const shown = { units: { tokens: 12 }, cost: '1.00' };
      expect(data(await h.run('ana', 'job show JOB-1'))).toMatchObject({ usage: shown });
      expect((await h.run('ana', 'job show JOB-1')).reply.text).toContain('used 12 tokens, cost 1.00');
      expect((await events(h, /^job\.succeeded$/))[0]?.details).toMatchObject({ usage: shown });
      expect(
        (await rows(h, usageTotals, { where: { id: 'day:2026-03-02|runbook:restart' } }))[0],
      ).toMatchObject({
        runs: 1,
        units: { tokens: 12 },
        cost: 1_000_000,
      });
    });

    test('is added to the runbook of a step as well as to its own', async () => {
      await h.run('ben', 'job run restart');
      const row = await job(h);
      await h.store.transaction('main', (tx) => countUsage(tx, row, { units: {}, cost: 3 }, 'build'));
      const ids = (await rows(h, usageTotals, { where: { id: { prefix: 'all:' } } })).map(({ id }) => id);
      expect(ids.toSorted()).toEqual([
        'all:all|runbook:build',
        'all:all|runbook:restart',
        'all:all|workspace',
      ]);
    });
  });

  describe('usage show', () => {
    test('tells of today, of this month, of all times and of any period, by UTC', async () => {
      await use({ tokens: 400 }, 500_000);
      h.clock.pass(DAY);
      await use({ tokens: 100 }, 250_000);
      expect(data(await show())).toMatchObject({
        per: 'day',
        period: '2026-03-03',
        total: { runs: 1, units: { tokens: 100 }, cost: '0.25' },
        items: [{ runbook: 'probe:api', runs: 1, units: { tokens: 100 }, cost: '0.25' }],
      });
      expect(data(await show('2026-03-02'))).toMatchObject({ period: '2026-03-02', total: { cost: '0.50' } });
      for (const period of ['month', '2026-03', 'all'])
        expect(data(await show(period))).toMatchObject({
          total: { runs: 2, units: { tokens: 500 }, cost: '0.75' },
        });
      expect((await show('2026-03')).reply.text).toContain(
        '2026-03: 2 runs reported 500 tokens, cost 0.75\n  probe:api: 2 runs reported 500 tokens, cost 0.75\n',
      );
      expect((await show('2025-01')).reply.text).toContain('2025-01: nothing was used');
    });

    test('of one runbook leaves out those that begin alike', async () => {
      await use({}, 5);
      expect(data(await show('day --runbook probe:api'))).toMatchObject({
        items: [{ runbook: 'probe:api' }],
        total: null,
      });
      expect(data(await show('day --runbook probe:a'))).toMatchObject({ items: [], total: null });
      expect(await show('day --runbook restrat')).toMatchObject({
        error: { code: 'not_found' },
        reply: { text: 'There is no runbook restrat. Did you mean restart?' },
      });
    });

    test('tells what is left of each budget, and when it begins anew', async () => {
      await h.run('ben', 'job run restart');
      await use({ tokens: 400 }, 500_000);
      const { budgets } = data(await show());
      expect(budgets).toEqual([
        {
          name: 'few',
          runbook: 'restart',
          per: 'day',
          whenSpent: 'refuse',
          spent: true,
          resets: '2026-03-03T00:00:00.000Z',
          bounds: [{ name: 'runs', used: 1, most: 1, left: 0 }],
        },
        {
          name: 'money',
          runbook: null,
          per: 'month',
          whenSpent: 'approval',
          spent: false,
          resets: '2026-04-01T00:00:00.000Z',
          bounds: [
            { name: 'tokens', used: 400, most: 1_000, left: 600 },
            { name: 'cost', used: '0.50', most: '2.00', left: '1.50' },
          ],
        },
      ]);
      expect((await show()).reply.text).toContain(
        'budget few [spent]: 1 of 1 runs this day, until 2026-03-03T00:00:00.000Z',
      );
    });

    test.each(['2026-13', '2026-02-30', '2026-02-30x', '2026-00', 'week', '2026', '2026-3-1'])(
      'refuses the period %s',
      async (period) => {
        expect(await show(period)).toMatchObject({
          error: { code: 'invalid_argument' },
          reply: { text: expect.stringContaining('expected day, month, all, a day such as') },
        });
      },
    );

    test('takes a permission of its own', async () => {
      expect((await h.run('ben', 'usage show')).error?.code).toBe('forbidden');
    });
  });
});
