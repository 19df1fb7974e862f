import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addLines } from '../../src/core/jobs/log.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { DAY } from '../../src/domain/clock.ts';
import { jobLogs } from '../../src/domain/job.ts';
import { deadLetters, outbox } from '../../src/domain/records.ts';
import { Sweeper } from '../../src/worker/sweep.ts';
import { rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { endTry } from '../support/tries.ts';
import { servicesOf } from './support.ts';

let h: Harness;

describe.each(DATABASES)('on %s', (_name, open) => {
  beforeEach(async () => {
    h = await open();
  });
  afterEach(() => h.close());

  const sweep = () => new Sweeper(servicesOf(h), 'main').sweep();
  const write = (job: string, count: number) =>
    h.store.transaction('main', (tx) =>
      addLines(
        tx,
        job,
        Array.from({ length: count }, (_, n) => ({ stream: 'out', line: `${n}`, at: tx.now })),
      ),
    );
  const lines = async () => {
    const count: Record<string, number> = {};
    for (const { job } of await rows(h, jobLogs, { limit: 5_000 })) count[job] = (count[job] ?? 0) + 1;
    return count;
  };

  describe('log lines', () => {
    test('go a month after the end of their job, and not before', async () => {
      await h.run('ben', 'job run restart');
      await h.run('ben', 'job run restart --in 40d');
      // What may go comes after whole pages of what may not.
      await write('JOB-2', 1_100);
      await write('JOB-1', 1_100);
      h.clock.pass(5 * DAY);
      await endTry(h, { kind: 'done', result: {} });
      h.clock.pass(30 * DAY);
      await sweep();
      expect(await lines()).toEqual({ 'JOB-1': 1_100, 'JOB-2': 1_100 });
      h.clock.pass(1);
      await sweep();
      expect(await lines()).toEqual({ 'JOB-2': 1_100 });
      h.clock.pass(20 * DAY);
      await sweep();
      expect(await lines()).toEqual({ 'JOB-2': 1_100 });
    });

    test('go when the configuration says', async () => {
      (h.catalog.jobs as { keepLogs: number }).keepLogs = DAY;
      await h.run('ben', 'job run restart');
      await write('JOB-1', 2);
      await endTry(h, { kind: 'done', result: {} });
      h.clock.pass(DAY + 1);
      await sweep();
      expect(await lines()).toEqual({});
    });

    test('of a job that is tried again stay', async () => {
      await h.run('ben', 'job run restart');
      await write('JOB-1', 2);
      await endTry(h, { kind: 'fail', reason: 'x', failure: 'refused' });
      h.clock.pass(29 * DAY);
      await h.run('ben', 'job retry JOB-1');
      h.clock.pass(29 * DAY);
      await sweep();
      expect(await lines()).toEqual({ 'JOB-1': 2 });
    });
  });

  test('messages go after 31 days, what is owed stays, and a report that may be sent again', async () => {
    const address = { channel: 'email', to: 'a@example.test' } as const;
    const states = ['sent', 'dead', 'withdrawn'] as const;
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 600; n += 1) {
        const key = `k${n}`;
        await enqueue(tx, { key, address, reply: { text: 'news' } });
      }
      for (const [n, row] of (await tx.find(outbox, { limit: 1_000 })).entries())
        await tx.update(outbox, row, { state: states[n % 3] ?? 'sent' });
      const letter = { job: 'JOB-1', runbook: 'restart', stage: 'report', reason: 'x' } as const;
      for (const [message, settledAt] of [
        ['k1', null],
        ['k4', tx.now],
      ] as const)
        await tx.insert(deadLetters, {
          ...letter,
          id: tx.id(),
          message,
          at: tx.now,
          settledAt,
          settledBy: null,
        });
    });
    const left = async () => (await rows(h, outbox, { limit: 1_000 })).map(({ state }) => state);
    h.clock.pass(31 * DAY);
    await sweep();
    expect(await left()).toHaveLength(600);
    await h.store.transaction('main', (tx) =>
      enqueue(tx, { key: 'young', address, reply: { text: 'news' } }),
    );
    h.clock.pass(1);
    await sweep();
    expect((await left()).toSorted()).toEqual(['dead', 'queued']);
  });
});
