import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/message.ts';
import type { Json } from '../../src/domain/json.ts';
import { presets } from '../../src/domain/records.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { approval, events, job, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import type { Harness } from '../support/harness.ts';
import { testRunbook } from '../support/runbook.ts';

let h: Harness;
const run = (text: string, who = 'ben'): Promise<Answer> => h.run(who, text);
const code = (answer: Answer) => answer.error?.code;
const data = (answer: Answer) => answer.reply.data as Record<string, Json>;
const runbook = (over: Partial<Runbook>) =>
  (h.catalog.runbooks as Map<string, Runbook>).set('restart', testRunbook({ name: 'restart', ...over }));

describe.each(DATABASES)('presets on %s', (_name, open) => {
  beforeEach(async () => {
    h = await open();
  });
  afterEach(() => h.close());

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

  test('count whoever saved them among those who asked: they cannot approve what they chose', async () => {
    await run('job preset add nightly deploy --env production');
    await run('job run --preset nightly', 'ana');
    expect((await approval(h)).chain).toEqual(['ana', 'ben']);
    expect((await job(h)).chain).toEqual(['ana', 'ben']);
    expect(code(await run('approve APR-1'))).toBe('forbidden');
    expect((await run('approve APR-1', 'cho')).status).toBe('ok');
  });

  test('that an agent saved count the person who made it, too', async () => {
    await run('person add robot --kind agent --roles operator', 'ana');
    await run('job preset add nightly deploy --env production', 'robot');
    await run('job run --preset nightly', 'ben');
    expect((await approval(h)).chain).toEqual(['ben', 'robot', 'ana']);
  });

  test('are removed by whoever may run the runbook, and by anybody once it is gone', async () => {
    await run('role add starter job:*', 'ana');
    await run('person add eve --roles starter', 'ana');
    await run('job preset add known restart');
    expect(await run('job preset remove known', 'eve')).toMatchObject({
      error: { code: 'forbidden' },
      reply: { text: 'You may not run job preset remove: it needs the permission runbook:restart.' },
    });
    expect(await events(h, /^command\.denied$/)).toMatchObject([
      { actor: 'eve', target: 'job.preset.remove' },
    ]);
    (h.catalog.runbooks as Map<string, Runbook>).delete('restart');
    expect((await run('job preset remove known', 'eve')).status).toBe('ok');
  });

  test('are 500 at most', async () => {
    await h.store.transaction('main', async (tx) => {
      for (let n = 0; n < 499; n += 1)
        await tx.insert(presets, {
          id: tx.id(),
          name: `p${n}`,
          runbook: 'restart',
          args: {},
          createdBy: 'ben',
          chain: ['ben'],
          createdAt: tx.now,
        });
    });
    expect((await run('job preset add last restart')).status).toBe('ok');
    expect((await run('job preset add more restart')).reply.text).toContain('There are 500 presets');
  });
});
