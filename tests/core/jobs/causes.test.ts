import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { originOf } from '../../../src/core/jobs/causes.ts';
import { jobs } from '../../../src/domain/job.ts';
import { DAY, HOUR } from '../../../src/domain/clock.ts';
import type { Source } from '../../../src/domain/catalog.ts';
import { createHarness, type Harness } from '../../support/harness.ts';
import { events, identity, job, rows } from '../support.ts';

const rule = {
  name: 'again',
  when: 'true',
  command: 'job.run',
  args: { runbook: '"restart"' },
  as: undefined,
};
const ci: Source = {
  name: 'ci',
  kind: 'hmac',
  secrets: [],
  signatureHeader: undefined,
  deliveryHeader: undefined,
  rules: [rule],
};

let h: Harness;
beforeEach(async () => {
  h = await createHarness({
    sources: new Map([['ci', ci]]),
    jobs: { concurrency: 64, queued: 10_000, depth: 3, causedPerHour: 4, keepLogs: 30 * DAY },
  });
});
afterEach(() => h.close());

const run = (who: string, causes: readonly string[]) => h.run(who, 'job run restart', { causes });
/** As a rule of the webhook source would. */
const deliver = (n: number, before: readonly string[] = []) =>
  h.run(
    '',
    { command: 'job.run', args: { runbook: 'restart' } },
    {
      channel: 'webhook',
      from: identity('source', 'ci', { assurance: 'signature' }),
      causes: [...before, `webhook:ci:${n}`],
    },
  );

describe('a run', () => {
  test('inherits the causes of the job that it names, and that job', async () => {
    await run('ben', []);
    await run('ben', ['JOB-1']);
    await run('ben', ['JOB-2', 'webhook:ci:1']);
    const found = await rows(h, jobs, { orderBy: [{ column: 'id' }] });
    expect(found.map((row) => row.causes)).toEqual([[], ['JOB-1'], ['JOB-1', 'JOB-2', 'webhook:ci:1']]);
    expect((await h.run('ben', 'job show JOB-3')).reply.data).toMatchObject({
      causes: ['JOB-1', 'JOB-2', 'webhook:ci:1'],
    });
  });

  test('keeps what it cannot verify: that makes the chain longer and nothing else', async () => {
    expect((await run('vic', ['JOB-99'])).error?.code).toBe('forbidden');
    await run('ben', ['JOB-99']);
    expect((await job(h)).causes).toEqual(['JOB-99']);
  });

  test('with more causes than the workspace allows is refused, with the chain shown and journalled', async () => {
    await run('ben', []);
    await run('ben', ['JOB-1']);
    await run('ben', ['JOB-2']);
    await run('ben', ['JOB-3']);
    const answer = await run('ben', ['JOB-4']);
    expect(answer.error?.code).toBe('conflict');
    expect(answer.reply.text).toContain('more than 3 causes (jobs.depth)');
    expect(answer.reply.text).toContain('JOB-1 → JOB-2 → JOB-3 → JOB-4 → restart');
    const [told] = await events(h, /^job\.loop_stopped$/);
    expect(told).toMatchObject({
      target: 'restart',
      actor: 'ben',
      details: { stoppedBy: 'jobs.depth', causes: ['JOB-1', 'JOB-2', 'JOB-3', 'JOB-4'] },
    });
    expect(await rows(h, jobs)).toHaveLength(4);
  });
});

describe('a loop through somebody who drops the header', () => {
  test('is stopped by its pace, and goes on an hour later', async () => {
    for (let n = 1; n <= 4; n += 1) expect((await deliver(n)).status).toBe('ok');
    const answer = await deliver(5);
    expect(answer).toMatchObject({ status: 'error', error: { code: 'conflict' } });
    expect(answer.reply.text).toContain(
      '4 runs within the hour that no person asked for (jobs.causedPerHour)',
    );
    expect((await events(h, /^job\.loop_stopped$/)).at(-1)?.details).toMatchObject({
      stoppedBy: 'jobs.causedPerHour',
      causes: ['webhook:ci:5'],
    });
    h.clock.pass(HOUR);
    expect((await deliver(6)).status).toBe('ok');
  });

  test('is not what people ask for, however often; naming a person’s job makes it no less one', async () => {
    for (let n = 0; n < 6; n += 1) expect((await run('ben', ['JOB-98'])).status).toBe('ok');
    for (let n = 1; n <= 4; n += 1) expect((await deliver(n, ['JOB-1'])).status).toBe('ok');
    expect((await deliver(5, ['JOB-1'])).error?.code).toBe('conflict');
  });

  test('is no less one without any cause: a program that asks by itself', async () => {
    for (let n = 0; n < 4; n += 1) expect((await run('bot', [])).status).toBe('ok');
    expect((await run('bot', [])).reply.text).toContain('(jobs.causedPerHour)');
    expect((await run('ben', [])).status).toBe('ok');
  });

  test('is what has jobs tried again, too', async () => {
    await run('ben', []);
    await h.store.transaction('main', async (tx) => {
      const row = await tx.get(jobs, { ref: 'JOB-1' });
      if (row) await tx.update(jobs, row, { state: 'failed', endedAt: tx.now });
    });
    for (let n = 0; n < 4; n += 1) await run('bot', []);
    expect((await h.run('bot', 'job retry JOB-1')).reply.text).toContain('(jobs.causedPerHour)');
    expect((await h.run('ben', 'job retry JOB-1')).status).toBe('ok');
  });

  test('is not a schedule that a person wrote, which keeps its own pace; one that a run had written is', async () => {
    for (let n = 0; n < 4; n += 1) expect((await run('bot', [])).status).toBe('ok');
    const origin = (name: string, causes: readonly string[]) =>
      h.store.transaction('main', async (tx) => {
        const who = await h.directory.byName(tx, name, ['*']);
        if (!who) throw new Error(`no ${name}`);
        const { catalog } = h;
        return originOf(
          { tx, now: tx.now, who, channel: 'schedule', assurance: 'local', causes, catalog },
          'restart',
        );
      });
    expect(await origin('ben', ['SCH-1'])).toEqual({ causes: ['SCH-1'], causedAt: null });
    await expect(origin('ben', ['JOB-1', 'SCH-1'])).rejects.toMatchObject({ code: 'conflict' });
    await expect(origin('bot', ['SCH-1'])).rejects.toMatchObject({ code: 'conflict' });
  });

  test('counts for each runbook apart', async () => {
    for (let n = 1; n <= 4; n += 1) await deliver(n);
    const other = await h.run('bot', 'probe run api', { causes: ['JOB-1'] });
    expect(other.status).toBe('ok');
  });
});

test('a job that has itself retried is stopped by depth', async () => {
  await run('ben', []);
  const seen: string[] = [];
  for (let n = 0; n < 4; n += 1) {
    const row = await job(h);
    await h.store.transaction('main', (tx) => tx.update(jobs, row, { state: 'failed', endedAt: tx.now }));
    const answer = await h.run('ben', 'job retry JOB-1', { causes: ['JOB-1'] });
    seen.push(answer.error?.code ?? 'ok');
  }
  expect(seen).toEqual(['ok', 'conflict', 'conflict', 'conflict']);
});
