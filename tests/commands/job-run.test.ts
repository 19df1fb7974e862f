import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { jobCommands } from '../../commands/job/index.ts';
import type { Answer } from '../../src/core/message.ts';
import type { Catalog } from '../../src/domain/catalog.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import type { Json } from '../../src/domain/json.ts';
import { presets } from '../../src/domain/records.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { approval, events, job, onSlack, outgoing, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { bounds, testRunbook, tries } from '../support/runbook.ts';
import { endTry } from '../support/tries.ts';

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

describe('presets', () => {
  test('save arguments, which single ones given at the run win over', async () => {
    const saved = await run('job preset add staging-api deploy --env staging --service api');
    expect(saved.reply.text).toBe('Saved: `job run --preset staging-api` runs deploy.');
    const answer = await run('job run --preset staging-api --env production');
    expect(answer).toMatchObject({
      status: 'pending_approval',
      invocation: { args: { runbook: 'deploy', args: { env: 'production', service: 'api' } } },
    });
    // What is approved names no preset, which could be another by then.
    expect((await approval(h)).args).toEqual({
      runbook: 'deploy',
      args: { env: 'production', service: 'api' },
    });
    expect(await job(h)).toMatchObject({ args: { env: 'production', service: 'api' } });
    expect((await run('job preset list', 'vic')).reply.text).toBe(
      'staging-api: job run deploy --env staging --service api',
    );
    expect(data(await run('job preset show staging-api', 'vic'))).toMatchObject({
      id: 'staging-api',
      runbook: 'deploy',
      args: { env: 'staging', service: 'api' },
      createdBy: 'ben',
    });
    await run('job preset remove staging-api');
    expect((await run('job preset list')).reply.text).toBe('No presets.');
    expect((await events(h, /^job\.preset/)).map((e) => `${e.event} ${e.target}`)).toEqual([
      'job.preset_added staging-api',
      'job.preset_removed staging-api',
    ]);
  });

  test.each([
    ['job preset add x deploy', 'invalid_argument', '--env is missing'],
    ['job preset add x deploy --env moon', 'invalid_argument', 'env: expected staging or production'],
    ['job preset add x deplyo --env staging', 'not_found', 'Did you mean deploy?'],
    ['job preset add x restart --api-key fake-1234', 'invalid_argument', 'api-key looks like a secret'],
    ['job preset add "Bad Name" restart', 'invalid_argument', 'preset: expected lower-case letters'],
    ['job preset add known restart', 'conflict', 'There is a preset known already'],
    ['job preset show knwon', 'not_found', 'Did you mean known?'],
    ['job run --preset knwon', 'not_found', 'Did you mean known?'],
    [
      'job run deploy --preset known',
      'invalid_argument',
      'The preset known is of the runbook restart, not deploy.',
    ],
    ['job preset', 'unknown_command', 'job preset needs a verb: add, list, show or remove.'],
  ])('%s', async (text, expected, message) => {
    await run('job preset add known restart');
    const answer = await run(text);
    expect([code(answer), answer.reply.text]).toEqual([expected, expect.stringContaining(message)]);
    expect(await rows(h, presets)).toHaveLength(1);
    expect(JSON.stringify(await h.entries())).not.toContain('fake-1234');
  });

  test('are for whoever may run the runbook', async () => {
    await run('role add starter job:*', 'ana');
    await run('person add eve --roles starter', 'ana');
    await run('job preset add known restart');
    expect(code(await run('job preset add mine restart', 'eve'))).toBe('forbidden');
    expect(await run('job run --preset known', 'eve')).toMatchObject({
      error: { code: 'forbidden' },
      reply: { text: 'You may not run job run: it needs the permission runbook:restart.' },
    });
    expect(code(await run('job preset remove known', 'vic'))).toBe('forbidden');
  });

  test('are read anew at each run, against the runbook of that day', async () => {
    await run('job preset add known restart');
    runbook({ args: { type: 'object', required: ['zone'], properties: { zone: { type: 'string' } } } });
    expect((await run('job run --preset known')).reply.text).toContain('--zone is missing');
    expect((await run('job run --preset known --zone a')).status).toBe('ok');
  });
});

describe('back-pressure', () => {
  test('refuses a further run when as many wait as the runbook allows', async () => {
    runbook({ bounds: bounds({ queued: 2 }) });
    for (let n = 0; n < 2; n += 1) expect((await run('job run restart')).status).toBe('ok');
    expect(await run('job run restart')).toMatchObject({
      error: { code: 'rate_limited', retryAfter: 10_000 },
      reply: {
        text: '2 runs of restart are queued, which is its bound (bounds.queued); try again once some have run.',
      },
    });
    expect((await run('probe run api')).status).toBe('ok');
    await run('job cancel JOB-1');
    expect((await run('job run restart')).status).toBe('ok');
  });

  test('also of what is tried again or redriven', async () => {
    runbook({ bounds: bounds({ queued: 1 }), tries: tries({ max: 1 }) });
    for (let n = 0; n < 3; n += 1) {
      await run('job run restart');
      await endTry(h, { kind: 'fail', reason: 'broken', failure: 'refused' });
    }
    expect((await run('job dead redrive --runbook restart')).reply.text).toContain(
      '1 runs of restart are queued, which is its bound (bounds.queued)',
    );
    expect(await rows(h, jobs, { where: { state: 'queued' } })).toHaveLength(1);
    const [left] = await rows(h, jobs, { where: { state: 'failed' } });
    expect(code(await run(`job retry ${left?.ref}`))).toBe('rate_limited');
    expect(await job(h, left?.ref)).toEqual(left);
  });

  test('also of what is approved: the approval is void, and its requester is told why', async () => {
    const deploy = h.catalog.runbooks.get('deploy');
    if (!deploy) throw new Error('no deploy');
    (h.catalog.runbooks as Map<string, Runbook>).set('deploy', { ...deploy, bounds: bounds({ queued: 1 }) });
    for (let n = 0; n < 2; n += 1) await h.run('', 'job run deploy --env staging', onSlack('ana'));
    for (const who of ['ben', 'cho']) await run('approve APR-1', who);
    expect((await job(h)).state).toBe('queued');
    for (const who of ['ben', 'cho']) await run('approve APR-2', who);
    const why =
      '1 runs of deploy are queued, which is its bound (bounds.queued); try again once some have run.';
    expect(await job(h, 'JOB-2')).toMatchObject({ state: 'cancelled', error: why });
    expect((await outgoing(h))['approval:APR-2:outcome']).toBe(`APR-2 approved.\n${why}`);
  });

  test('and the workspace', async () => {
    const rules = h.catalog.jobs as { queued: Catalog['jobs']['queued'] };
    rules.queued = 1;
    await run('probe run api');
    expect((await run('job run restart')).reply.text).toContain(
      '1 jobs are queued, which is the workspace’s bound (jobs.queued)',
    );
    expect(code(await run('probe run api'))).toBe('rate_limited');
    expect(await count()).toBe(1);
  });
});

test('without a secret to sign with, no end is posted', async () => {
  (h.catalog as { notify: boolean }).notify = false;
  const answer = await run('job run restart --notify https://example.test/hook');
  expect(answer).toMatchObject({ error: { code: 'conflict' } });
  expect(answer.reply.text).toContain('SIGNALBOX_NOTIFY_SECRET');
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
