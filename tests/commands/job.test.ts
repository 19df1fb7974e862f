import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogLine } from '../../src/core/feed.ts';
import { createFeed } from '../../src/core/live-feed.ts';
import type { Answer } from '../../src/core/message.ts';
import type { Json } from '../../src/domain/json.ts';
import { jobs, type JobState } from '../../src/domain/job.ts';
import { probeRunbook } from '../../src/domain/probe.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { execute } from '../../src/worker/executors/index.ts';
import type { JobWorker } from '../../src/worker/jobs.ts';
import { events, job, outgoing } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { testRunbook, tries } from '../support/runbook.ts';
import { jobWorker, now, soon } from '../worker/support.ts';

let h: Harness;
let worker: JobWorker | undefined;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(async () => {
  await worker?.stop(now());
  worker = undefined;
  await h.close();
});

const run = (text: string, who = 'ben'): Promise<Answer> => h.run(who, text);
const code = (answer: Answer) => answer.error?.code;
const items = (answer: Answer) =>
  (answer.reply.data as { items: Record<string, Json>[] }).items.map((item) => item['id'] ?? item['line']);
const put = async (ref: string, state: JobState, over = {}) => {
  const row = await job(h, ref);
  await h.store.transaction('main', (tx) => tx.update(jobs, row, { state, ...over }));
};
const runbook = (over: Partial<Runbook>) =>
  (h.catalog.runbooks as Map<string, Runbook>).set('restart', testRunbook({ name: 'restart', ...over }));

describe('job run', () => {
  test('queues what the runbook takes', async () => {
    const answer = await run('job run restart');
    expect(answer).toMatchObject({
      status: 'ok',
      reply: {
        text: 'JOB-1 is queued: restart.',
        data: { id: 'JOB-1', state: 'queued', requester: 'ben', attempt: 0, maxAttempts: 2, approval: null },
      },
    });
    expect((await job(h)).runAt).toEqual(h.clock.now());
  });

  test('refuses what it does not take, in one line', async () => {
    expect(await run('job run deploy')).toMatchObject({
      error: { code: 'invalid_argument' },
      reply: { text: '--env is missing. Usage: job run deploy [--service STRING] --env staging|production' },
    });
    expect((await run('job run restart --fast')).reply.text).toContain('--fast is no argument of it');
    expect((await run('job run restrat')).reply.text).toContain('Did you mean restart?');
    expect(await events(h, /^job\./)).toEqual([]);
  });

  test('has its usage in the help of whoever may run it', async () => {
    expect((await run('help job run')).reply.text).toContain(
      'job run deploy [--service STRING] --env staging|production',
    );
    expect((await h.run('vic', 'help job run')).reply.text).not.toContain('Runbooks:');
  });

  test('fills in what the schema gives by default', async () => {
    const properties = { times: { type: 'integer', default: 3 } };
    runbook({ args: { type: 'object', properties, additionalProperties: false } });
    expect((await run('job run restart')).reply.data).toMatchObject({ args: { times: 3 } });
    expect(code(await run('job run restart --times many'))).toBe('invalid_argument');
  });

  test('of a program and of a webhook’s source is theirs', async () => {
    await run('job run restart', 'bot');
    expect(await job(h)).toMatchObject({ requester: 'bot' });
    expect(code(await run('job run restart', 'vic'))).toBe('forbidden');
  });
});

describe('job list, show and logs', () => {
  beforeEach(async () => {
    for (const who of ['ben', 'cho', 'ben']) await run('job run restart', who);
    await put('JOB-2', 'failed', { error: 'exit code 1' });
  });

  test('list the newest first, and by state, runbook and requester, in pages', async () => {
    expect(items(await run('job list'))).toEqual(['JOB-3', 'JOB-2', 'JOB-1']);
    expect(items(await run('job list --state failed'))).toEqual(['JOB-2']);
    expect(items(await run('job list --requester me'))).toEqual(['JOB-3', 'JOB-1']);
    expect(items(await run('job list --runbook deploy'))).toEqual([]);
    const page = await run('job list --limit 2');
    expect(page.reply.data).toMatchObject({ next: 'JOB-2' });
    expect(items(await run('job list --limit 2 --before JOB-2'))).toEqual(['JOB-1']);
    expect(code(await run('job list --state nonsense'))).toBe('invalid_argument');
  });

  test('show one', async () => {
    expect((await run('job show JOB-2', 'vic')).reply).toMatchObject({
      text: 'JOB-2 [failed] restart · cho · exit code 1',
      data: { id: 'JOB-2', error: 'exit code 1' },
    });
    expect(code(await run('job show JOB-9'))).toBe('not_found');
    expect((await run('job logs JOB-1')).reply.text).toBe('JOB-1 has logged nothing.');
    expect(code(await run('job logs JOB-9'))).toBe('not_found');
  });
});

describe('job cancel', () => {
  test('ends what waits at once, and what is over not at all', async () => {
    await run('job run restart');
    expect((await run('job cancel JOB-1')).reply.text).toBe('JOB-1 is cancelled.');
    expect(await job(h)).toMatchObject({ state: 'cancelled', endedAt: h.clock.now() });
    expect(await run('job cancel JOB-1')).toMatchObject({
      error: { code: 'conflict' },
      reply: { text: 'JOB-1 is already cancelled.' },
    });
    expect(code(await run('job cancel JOB-9'))).toBe('not_found');
    expect(code(await run('job cancel JOB-1', 'vic'))).toBe('forbidden');
  });
});

describe('job retry', () => {
  test('queues what failed or was cancelled again, with all its tries', async () => {
    await run('job run restart');
    expect(code(await run('job retry JOB-1'))).toBe('conflict');
    await put('JOB-1', 'failed', { attempt: 2, error: 'exit code 1', endedAt: h.clock.now() });
    expect((await run('job retry JOB-1')).reply.data).toMatchObject({
      state: 'queued',
      attempt: 2,
      maxAttempts: 4,
      error: null,
      endedAt: null,
    });
    await run('job cancel JOB-1');
    expect((await run('job retry JOB-1')).status).toBe('ok');
    await put('JOB-1', 'succeeded');
    expect(await run('job retry JOB-1')).toMatchObject({
      error: { code: 'conflict' },
      reply: { text: 'JOB-1 succeeded; for another run of the same: job run --again JOB-1' },
    });
  });

  test('is for what is over, not for what waits or runs', async () => {
    await run('job run restart');
    for (const state of ['assigned', 'running', 'waiting'] as const) {
      await put('JOB-1', state);
      expect(await run('job retry JOB-1')).toMatchObject({
        error: { code: 'conflict' },
        reply: { text: `JOB-1 is ${state}: it is not over yet.` },
      });
    }
  });

  test('takes the runbook’s own permission, as running it does', async () => {
    await run('role add starter job:*', 'ana');
    await run('person add eve --roles starter', 'ana');
    await run('job run restart');
    await put('JOB-1', 'failed');
    expect(await run('job retry JOB-1', 'eve')).toMatchObject({
      error: { code: 'forbidden' },
      reply: { text: 'You may not run job retry: it needs the permission runbook:restart.' },
    });
  });

  test('does not spend an approval twice', async () => {
    await run('job run deploy --env staging');
    await run('approve APR-1', 'cho');
    await run('approve APR-1', 'ana');
    await put('JOB-1', 'failed');
    expect((await run('job retry JOB-1')).reply.text).toContain('needs a new approval for each run');
    await run('job run deploy --env staging');
    await run('approval cancel APR-2');
    expect(code(await run('job retry JOB-2'))).toBe('conflict');
  });

  test('runs the runbook as it is now, if there is one that still takes the arguments', async () => {
    await run('job run restart');
    const before = await job(h);
    await put('JOB-1', 'failed');
    runbook({ timeout: 99 });
    await run('job retry JOB-1');
    expect((await job(h)).digest).not.toBe(before.digest);
    await put('JOB-1', 'failed');
    // Or it would wait for a worker that nobody starts any more.
    runbook({ capability: 'gpu' });
    await run('job retry JOB-1');
    expect((await job(h)).capability).toBe('gpu');
    await put('JOB-1', 'failed');
    runbook({ args: { type: 'object', required: ['env'], properties: { env: { type: 'string' } } } });
    expect(code(await run('job retry JOB-1'))).toBe('invalid_argument');
    (h.catalog.runbooks as Map<string, Runbook>).delete('restart');
    expect((await run('job retry JOB-1')).reply.text).toContain('no longer defines restart');
  });

  test('asks a probe again', async () => {
    await run('probe run api');
    await put('JOB-1', 'failed', { attempt: 1 });
    const probe = [...h.catalog.probes.values()][0];
    expect(probe && probeRunbook(probe).name).toBe('probe:api');
    expect((await run('job retry JOB-1')).reply.data).toMatchObject({ maxAttempts: 2 });
  });
});

describe('a real program', () => {
  const deps = () => ({
    fetch: () => Promise.reject(new Error('not here')),
    env: { PATH: process.env['PATH'] },
    clock: h.clock,
    probes: h.catalog.probes,
  });
  const start = (over: Partial<Runbook>) => {
    runbook(over);
    worker = jobWorker(h, (execution) => execute(execution, deps()));
    worker.start();
  };
  const program = (script: string) =>
    ({ executor: { kind: 'shell', argv: ['node', '-e', script], env: {} } }) as const;
  const ends = (state: JobState) => soon(async () => expect((await job(h)).state).toBe(state), 15_000);

  test('reports what it used and hands over what it made', async () => {
    const say = (message: object) => `fs.writeSync(3, ${JSON.stringify(`${JSON.stringify(message)}\n`)});`;
    const said = [{ usage: { tokens: 7, cost: 0.5 } }, { artifact: { name: 'a.md', content: '# A' } }];
    start(program(`const fs = require('node:fs'); ${said.map(say).join(' ')}`));
    await run('job run restart');
    await ends('succeeded');
    expect((await run('job show JOB-1')).reply).toMatchObject({
      text: expect.stringMatching(/\nused 7 tokens, cost 0\.50\nmade 1 artifact: artifact list --job JOB-1$/),
      data: { usage: { units: { tokens: 7 }, cost: '0.50' } },
    });
    expect((await h.run('ana', 'artifact export ART-1')).reply.text).toBe('# A');
  });

  test('streams its lines while it runs, and is stopped within two seconds of a cancel', async () => {
    start(program(`console.log('one'); console.error('two'); setInterval(() => undefined, 1_000)`));
    const live: LogLine[] = [];
    createFeed(h.store).onLog('main', (line) => live.push(line));
    await run('job run restart');
    await soon(() => expect(live).toHaveLength(2), 15_000);
    // Two pipes: which of them is read first is open.
    expect(new Set(live.map((l) => `${l.job} ${l.stream} ${l.line}`))).toEqual(
      new Set(['JOB-1 out one', 'JOB-1 err two']),
    );
    expect(live.map((l) => l.cursor)).toEqual([1, 2]);
    expect(items(await run('job logs JOB-1'))).toEqual(live.map((l) => l.line));
    expect(items(await run('job logs JOB-1 --after 1'))).toEqual([live[1]?.line]);
    expect(items(await run('job logs JOB-1 --tail 1'))).toEqual([live.at(-1)?.line]);
    expect(items(await run('job logs JOB-1 --tail 500'))).toEqual(live.map((l) => l.line));
    expect(code(await run('job logs JOB-1 --tail 0'))).toBe('invalid_argument');
    const asked = performance.now();
    await run('job cancel JOB-1');
    await ends('cancelled');
    expect(performance.now() - asked).toBeLessThan(2_000);
  });

  test('that takes too long is stopped, and that is another try', async () => {
    start({
      ...program('setInterval(() => undefined, 1_000)'),
      timeout: 100,
      tries: tries({ max: 1, backoff: 1, cap: 1 }),
    });
    await run('job run restart');
    await ends('failed');
    expect((await job(h)).error).toBe('stopped after 100 ms (timeout)');
  });

  test('tells how it went where it was asked for', async () => {
    start(program(`console.error('no disk'); process.exit(2)`));
    await h.run('ben', 'job run restart', { origin: { channel: 'slack', to: 'C1' } });
    await ends('failed');
    expect((await outgoing(h))['job:JOB-1:4:end']).toBe('JOB-1 failed: restart\nexit code 2: no disk');
  });
});
