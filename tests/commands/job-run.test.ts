import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { jobCommands } from '../../commands/job/index.ts';
import type { Answer } from '../../src/core/message.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import type { Json } from '../../src/domain/json.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { approval, job, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { testRunbook } from '../support/runbook.ts';

let h: Harness;
beforeEach(async () => {
  // The clock stands at 2026-03-02T09:00:00Z.
  h = await createHarness({ notify: true });
});
afterEach(() => h.close());

const run = (text: string, who = 'ben'): Promise<Answer> => h.run(who, text);
const code = (answer: Answer) => answer.error?.code;
const data = (answer: Answer) => answer.reply.data as Record<string, Json>;
const runbook = (over: Partial<Runbook>) =>
  (h.catalog.runbooks as Map<string, Runbook>).set('restart', testRunbook({ name: 'restart', ...over }));
const count = async () => (await rows(h, jobs)).length;

describe('--at and --in', () => {
  test('queue it for later, and say until when', async () => {
    const answer = await run('job run restart --in 10m');
    expect(answer.reply.text).toBe('JOB-1 is queued until 2026-03-02 09:10:00 UTC: restart.');
    expect((await job(h)).runAt).toEqual(new Date(h.clock.now().getTime() + 10 * MINUTE));
    // Without a zone it is UTC.
    await run('job run restart --at "2026-03-02 12:00"');
    await run('job run restart --at 2026-03-02T12:00+02:00');
    await run('job run restart --at "tomorrow 3:00"');
    const times = (await rows(h, jobs, { orderBy: [{ column: 'id' }] })).map((row) =>
      row.runAt.toISOString(),
    );
    expect(times.slice(1)).toEqual([
      '2026-03-02T12:00:00.000Z',
      '2026-03-02T10:00:00.000Z',
      '2026-03-03T03:00:00.000Z',
    ]);
    expect((await run('job show JOB-1')).reply.text).toBe(
      'JOB-1 [queued until 2026-03-02 09:10:00 UTC] restart · ben',
    );
    expect(data(await run('job show JOB-1'))).toMatchObject({
      state: 'queued',
      runAt: '2026-03-02T09:10:00.000Z',
    });
    h.clock.pass(10 * MINUTE);
    expect((await run('job show JOB-1')).reply.text).toBe('JOB-1 [queued] restart · ben');
  });

  test('take the approval first, then the time', async () => {
    await run('job run deploy --env staging --in 1h', 'ana');
    expect((await run('job show JOB-1')).reply.text).toContain(
      'waits for APR-1 then until 2026-03-02 10:00:00 UTC',
    );
    for (const who of ['ben', 'cho']) await run('approve APR-1', who);
    expect(await job(h)).toMatchObject({ state: 'queued', runAt: new Date('2026-03-02T10:00:00Z') });
    await run('job run deploy --env staging --at 2026-03-02T09:30', 'ana');
    h.clock.pass(45 * MINUTE);
    for (const who of ['ben', 'cho']) await run('approve APR-2', who);
    expect(await job(h, 'JOB-2')).toMatchObject({ state: 'queued', runAt: h.clock.now() });
  });

  test.each([
    [
      '--at 2026-03-02T08:59',
      'at: expected a time to come, got 2026-03-02 08:59:00 UTC; it is 2026-03-02 09:00:00 UTC.',
    ],
    ['--at soonish', 'at: expected a date'],
    ['--in -5m', 'in'],
    ['--in soon', 'in: expected a duration'],
    ['--in 500d', 'in: expected at most'],
    ['--at 2027-01-01 --in 5m', 'Give --at or --in, not both.'],
    ['--priority 10', 'priority: expected at most 9'],
    ['--priority high', 'priority: expected a number'],
    ['--key "two words"', 'key: expected 1 to 255 visible ASCII characters'],
    ['--notify nowhere', 'notify: expected a URL'],
    ['--notify ftp://example.test/x', 'notify: expected a URL'],
    ['--notify https://ana:example@example.test/x', 'notify: leave credentials out'],
    ['--notify https://example.test/x?token=fake-example-1234', 'notify: leave credentials out'],
  ])('refuses %s', async (flags, message) => {
    const answer = await run(`job run restart ${flags}`);
    expect(code(answer)).toBe('invalid_argument');
    expect(answer.reply.text).toContain(message);
    expect(await count()).toBe(0);
  });
});

test('priority is the runbook’s own unless told', async () => {
  runbook({ priority: 4, capability: 'gpu' });
  await run('job run restart');
  await run('job run restart --priority 9');
  expect(data(await run('job show JOB-1'))).toMatchObject({ priority: 4, capability: 'gpu' });
  expect(data(await run('job show JOB-2'))).toMatchObject({ priority: 9 });
});

test('a capability that not every worker offers is told of, as perhaps none does', async () => {
  runbook({ capability: 'gpu' });
  expect((await run('job run restart')).reply.text).toBe(
    'JOB-1 is queued for a worker that offers gpu: restart.',
  );
  expect((await run('job show JOB-1')).reply.text).toBe(
    'JOB-1 [queued] restart · ben · for a worker that offers gpu',
  );
});

describe('--key', () => {
  test('gives the same job again, also while it waits for approval', async () => {
    const first = await run('job run restart --key nightly-1');
    const again = await run('job run restart --key nightly-1');
    expect(again.reply.text).toBe('JOB-1 was asked for with this key before: restart, queued.');
    expect(data(again)['id']).toBe(data(first)['id']);
    await run('job run deploy --env staging --key d1');
    expect(await run('job run deploy --env staging --key d1')).toMatchObject({ status: 'ok' });
    expect(await count()).toBe(2);
    expect(await rows(h, jobs, { where: { key: 'd1' } })).toMatchObject([{ approval: 'APR-1' }]);
    expect((await approval(h, 'APR-1')).state).toBe('pending');
    await expect(approval(h, 'APR-2')).rejects.toThrow('no APR-2');
  });

  test('is refused with another content', async () => {
    await run('job run deploy --env staging --key d1');
    expect(code(await run('job run deploy --env production --key d1'))).toBe('key_reused');
    expect(code(await run('job run restart --key d1'))).toBe('key_reused');
  });

  const LATER = '2026-03-05T09:00:00.000Z';
  const HOOK = 'https://ci.example.test/hooks/job';
  test.each([`--at ${LATER}`, '--in 10m', '--priority 3', `--notify ${HOOK}`, '--again JOB-1'])(
    'is another content with %s and without',
    async (wish) => {
      await run('job run restart');
      const first = await run(`job run restart --key k ${wish}`);
      expect(first.status).toBe('ok');
      expect(code(await run('job run restart --key k'))).toBe('key_reused');
      // Reckoned from now it is another instant by now, and the same wish.
      h.clock.pass(MINUTE);
      expect(data(await run(`job run restart --key k ${wish}`))['id']).toBe('JOB-2');
      expect(await count()).toBe(2);
    },
  );

  test('is each requester’s own', async () => {
    await run('job run restart --key k');
    expect((await run('job run restart --key k', 'cho')).reply.text).toBe('JOB-2 is queued: restart.');
    expect((await rows(h, jobs)).map(({ ref, requester, key }) => [ref, requester, key])).toEqual([
      ['JOB-1', 'ben', 'k'],
      ['JOB-2', 'cho', 'k'],
    ]);
  });

  test('gives its job also when the runbook is another by now', async () => {
    await run('job run restart --key k');
    (h.catalog.runbooks as Map<string, Runbook>).delete('restart');
    expect(code(await run('job run restart --key k'))).toBe(undefined);
  });
});

describe('--again', () => {
  test('is a new job of the same runbook and arguments, with an approval of its own', async () => {
    await run('job run deploy --env staging --service api');
    const answer = await run('job run --again JOB-1 --priority 2', 'ana');
    expect(answer).toMatchObject({
      status: 'pending_approval',
      invocation: {
        command: 'job.run',
        args: { runbook: 'deploy', args: { env: 'staging', service: 'api' }, again: 'JOB-1', priority: 2 },
      },
    });
    expect(await job(h, 'JOB-2')).toMatchObject({
      args: { env: 'staging', service: 'api' },
      requester: 'ana',
      approval: 'APR-2',
      repeats: 'JOB-1',
      priority: 2,
    });
    expect(data(await run('job show JOB-2'))['repeats']).toBe('JOB-1');
    for (const who of ['ben', 'cho']) await run('approve APR-2', who);
    expect((await job(h, 'JOB-2')).state).toBe('queued');
    // What it refers to takes the same permissions as if it were written out.
    await run('role add starter job:*', 'ana');
    await run('person add eve --roles starter', 'ana');
    expect(code(await run('job run --again JOB-1', 'eve'))).toBe('forbidden');
  });

  test.each([
    ['job run --again JOB-9', 'not_found', 'There is no job JOB-9.'],
    ['job run restart --again JOB-1', 'invalid_argument', 'JOB-1 is of the runbook deploy, not restart.'],
    ['job run --again JOB-1 --env production', 'invalid_argument', 'is done again with its own arguments'],
    ['job run --again JOB-1 --preset x', 'invalid_argument', 'Give --preset or --again, not both.'],
    ['job run --again JOB-2', 'invalid_argument', 'JOB-2 asked a probe: `probe run api`.'],
    ['job run', 'invalid_argument', 'job run needs runbook'],
  ])('%s', async (text, expected, message) => {
    await run('job run deploy --env staging');
    await run('probe run api');
    const answer = await run(text);
    expect([code(answer), answer.reply.text]).toEqual([expected, expect.stringContaining(message)]);
    expect(await count()).toBe(2);
  });
});

test('without a secret to sign with, no end is posted', async () => {
  (h.catalog as { notify: boolean }).notify = false;
  const answer = await run('job run restart --notify https://example.test/hook');
  expect(answer).toMatchObject({ error: { code: 'conflict' } });
  expect(answer.reply.text).toContain('SIGNALBOX_NOTIFY_SECRET');
});

test('posting to hosts that are not listed is refused, where there is a list', async () => {
  (h.catalog.jobs as { notify?: readonly string[] | undefined }).notify = [
    'ci.example.test',
    'HOOKS.example.test:8443',
  ];
  const to = async (url: string) => (await run(`job run restart --notify ${url}`)).reply.text;
  const refused =
    'notify: expected a host that is allowed (jobs.notify): ci.example.test, HOOKS.example.test:8443.';
  for (const url of [
    'https://CI.example.test/a',
    'http://ci.example.test:81',
    'https://hooks.example.test:8443/',
  ])
    expect(await to(url)).toContain('is queued');
  for (const url of [
    'https://hooks.example.test/',
    'https://ci.example.test.evil.test/',
    'https://evil.test/#ci.example.test',
  ])
    expect(await to(url)).toBe(refused);
  expect(await count()).toBe(3);
});

describe('every example of running, presets and reading', () => {
  const own = ['job.run', 'job.list', 'job.show', 'job.logs'];
  const cases = jobCommands
    .filter(({ name }) => own.includes(name) || name.startsWith('job.preset.'))
    .flatMap(({ examples }) => examples.map((example) => [example.text, example] as const));
  test.each(cases)('%s', async (typed, { json, says }) => {
    const context = { now: h.clock.now(), who: 'ben' };
    for (const text of [typed, h.language.format(json), ...(says === undefined ? [] : [says])])
      expect((await h.language.read({ text }, context)).invocation).toEqual(json);
    await run('job run restart');
    await run('job preset add nightly restart');
    expect((await run(typed)).status).toMatch(/^(?:ok|pending_approval)$/);
  });
});
