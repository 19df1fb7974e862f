import { describe, expect, test } from 'vitest';
import { jobCommands } from '../../commands/job/index.ts';
import { LEASE } from '../../src/core/jobs/claiming.ts';
import { MINUTE, SECOND } from '../../src/domain/clock.ts';
import { jobLogs } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { deadLetters, effects } from '../../src/domain/records.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { events, identity, job, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import { bounds, testRunbook, tries } from '../support/runbook.ts';
import { controlled, jobWorker, now } from '../worker/support.ts';
import { remoteBench, render } from './remote.ts';

describe.each(DATABASES)('on %s', (_database, create) => {
  const bench = remoteBench(create);
  const { say, items, claimed, state, reopen } = bench;
  describe('job claim', () => {
    test('hands out what a program needs to run it, once', async () => {
      await bench.h.run('ana', 'job run render --scene "a b"');
      expect(await items()).toEqual([
        {
          id: 'JOB-1',
          claim: '1',
          runbook: 'render',
          args: { scene: 'a b' },
          attempt: 1,
          maxAttempts: 2,
          capability: 'gpu',
          idempotencyKey: expect.stringMatching(/^[0-9a-f]{64}$/),
          cause: 'JOB-1',
          requester: 'ana',
          timeout: 5 * MINUTE,
          leaseUntil: '2026-03-02T09:00:30.000Z',
          heartbeatEvery: 10,
        },
      ]);
      expect(await items()).toEqual([]);
      expect(await job(bench.h)).toMatchObject({ state: 'running', leaseOwner: 'remote:bot', attempt: 1 });
      expect((await events(bench.h, /^job\./)).map((e) => e.event)).toEqual([
        'job.queued',
        'job.assigned',
        'job.started',
      ]);
    });

    test('a look that finds nothing writes nothing', async () => {
      const before = (await bench.h.entries()).length;
      expect((await say('claim', { capabilities: ['gpu'] })).reply.text).toBe('No job is due.');
      expect(await bench.h.entries()).toHaveLength(before);
    });

    test('tells when the next will be due', async () => {
      await bench.h.run('ana', 'job run render --in 5m');
      expect((await say('claim', { capabilities: ['gpu'] })).reply.data).toEqual({
        items: [],
        nextAt: '2026-03-02T09:05:00.000Z',
      });
    });

    test('that waits looks as soon as a claim is over, and as soon as nobody came back for it', async () => {
      const { catalog, clock, store } = bench.h;
      const waits = jobCommands.find(({ name }) => name === 'job.claim')?.route?.waits;
      const due = () =>
        store.read('main', async (tx) => waits?.due({ tx, catalog }, { capabilities: ['gpu'] }));
      expect(await due()).toBeUndefined();
      await claimed();
      expect(await due()).toEqual(new Date(clock.now().getTime() + LEASE + 1));
      clock.pass(LEASE + 1);
      expect(await due()).toEqual(clock.now());
      expect(await items()).toEqual([]);
      expect(await due()).toEqual(new Date(clock.now().getTime() + 2 * SECOND + 1));
      await bench.h.run('ana', 'job run render --in 1s');
      expect(await due()).toEqual(new Date(clock.now().getTime() + SECOND));
      clock.pass(2 * SECOND + 1);
      expect((await items({ max: 2 })).map(({ id }) => id).toSorted()).toEqual(['JOB-1', 'JOB-2']);
    });

    test('takes the most urgent first, as many as are asked for and as there is room for', async () => {
      await reopen(render({ bounds: bounds({ concurrency: 2 }) }));
      for (const priority of [0, 9, 5]) await bench.h.run('ana', `job run render --priority ${priority}`);
      expect((await items({ max: 5 })).map(({ id }) => id)).toEqual(['JOB-2', 'JOB-3']);
      expect(await items()).toEqual([]);
    });

    test('gives out nothing that is not remote, and workers here take nothing that is', async () => {
      await reopen(render(), testRunbook({ name: 'local', capability: 'gpu' }));
      await bench.h.run('ana', 'job run render');
      await bench.h.run('ana', 'job run local');
      const here = controlled();
      const worker = jobWorker(bench.h, here.execute, { capabilities: ['gpu'] });
      worker.start();
      expect((await here.nth(1)).cause).toBe('JOB-2');
      expect((await items({ max: 5 })).map(({ id }) => id)).toEqual(['JOB-1']);
      await worker.stop(now());
      expect(here.tries).toHaveLength(1);
    });

    test('takes the permission of the runbook: what the program may not run stays where it is', async () => {
      await bench.h.run('ana', 'job run bake');
      await bench.h.run('ana', 'job run render');
      expect((await items({ max: 5 })).map(({ id }) => id)).toEqual(['JOB-2']);
      expect(await state('JOB-1')).toBe('queued');
    });

    test('is for programs and people that may work', async () => {
      expect((await say('claim', { capabilities: ['gpu'] }, 'vic')).error?.code).toBe('forbidden');
      await reopen(render({ permission: 'secret:render' }));
      const answer = await say('claim', { capabilities: ['gpu'] });
      expect(answer.error?.code).toBe('forbidden');
      expect(answer.reply.text).toContain('secret:render');
    });

    test('is not for a webhook’s sender, whatever its rules name', async () => {
      await bench.h.close();
      const rule = {
        name: 'work',
        when: 'true',
        command: 'job.claim',
        args: { runbook: "'render'" },
        as: undefined,
      };
      const hook = { signatureHeader: undefined, deliveryHeader: undefined, secrets: [], rules: [rule] };
      bench.h = await create({
        runbooks: new Map([['render', render()]]),
        sources: new Map([['ci', { name: 'ci', kind: 'github', ...hook }]]),
      });
      const body = { command: 'job.claim', args: { capabilities: ['gpu'] } };
      const answer = await bench.h.run('', body, { channel: 'webhook', from: identity('source', 'ci') });
      expect(answer.error?.code).toBe('forbidden');
      expect(answer.reply.text).toContain('a webhook’s sender runs no jobs');
    });

    test('refuses a capability that no remote runbook asks for', async () => {
      for (const capability of ['cpu', 'default']) {
        const answer = await say('claim', { capabilities: ['gpu', capability] });
        expect(answer.error?.code).toBe('invalid_argument');
        expect(answer.reply.text).toBe(`No remote runbook asks for "${capability}"; there are: gpu.`);
      }
    });

    test('ends what can no longer start, and hands it to nobody', async () => {
      const { store } = bench.h;
      await bench.h.run('ana', 'job run render --scene x');
      const changed = render({ args: { type: 'object', properties: {}, additionalProperties: false } });
      (bench.h.catalog.runbooks as Map<string, Runbook>).set('render', changed);
      expect(await items()).toEqual([]);
      expect(await job(bench.h)).toMatchObject({
        state: 'failed',
        error: expect.stringContaining('--scene is no argument'),
      });
      expect(await store.transaction('main', (tx) => tx.find(deadLetters))).toMatchObject([
        { stage: 'start' },
      ]);
    });
  });

  describe('job heartbeat', () => {
    test('keeps the claim, and carries progress and log lines without an entry in the journal', async () => {
      const mine = await claimed();
      const before = (await bench.h.entries()).length;
      bench.h.clock.pass(20 * SECOND);
      const { reply } = await say('heartbeat', {
        ...mine,
        progress: { percent: 40, text: 'frame 96' },
        lines: [{ line: 'one' }, { stream: 'err', line: 'two' }],
      });
      expect(reply.data).toEqual({
        id: 'JOB-1',
        state: 'running',
        cancelRequested: false,
        stop: null,
        leaseUntil: '2026-03-02T09:00:50.000Z',
      });
      expect((await job(bench.h)).progress).toEqual({ percent: 40, text: 'frame 96' });
      expect((await rows(bench.h, jobLogs)).filter((l) => l.stream !== 'progress')).toMatchObject([
        { stream: 'out', line: 'one' },
        { stream: 'err', line: 'two' },
      ]);
      expect(await bench.h.entries()).toHaveLength(before);
    });

    test('tells of a cancel; the worker stops and says so', async () => {
      const mine = await claimed();
      await bench.h.run('ana', 'job cancel JOB-1');
      expect((await say('heartbeat', mine)).reply.data).toMatchObject({
        stop: 'cancelled',
        cancelRequested: true,
      });
      const ended = await say('fail', { ...mine, reason: 'stopped as asked' });
      expect(ended.reply.data).toMatchObject({ state: 'cancelled' });
    });

    test('one that is not obeyed: the claim is kept no longer, and ends with its lease', async () => {
      const mine = await claimed();
      bench.h.clock.pass(10 * SECOND);
      await say('heartbeat', mine);
      await bench.h.run('ana', 'job cancel JOB-1');
      for (let n = 0; n < 2; n += 1) {
        bench.h.clock.pass(10 * SECOND);
        expect((await say('heartbeat', mine)).reply.data).toMatchObject({
          stop: 'cancelled',
          state: 'running',
        });
      }
      bench.h.clock.pass(10 * SECOND);
      expect((await say('heartbeat', mine)).reply.data).toMatchObject({
        stop: 'cancelled',
        state: 'cancelled',
      });
      expect((await say('heartbeat', mine)).error?.code).toBe('conflict');
      expect(await rows(bench.h, effects)).toMatchObject([{ outcome: 'cancelled' }]);
    });

    test('keeps it for a whole lease each time', async () => {
      const mine = await claimed();
      for (let n = 0; n < 4; n += 1) {
        bench.h.clock.pass(29 * SECOND);
        expect((await say('heartbeat', mine)).reply.data).toMatchObject({ stop: null });
        await items();
      }
      expect(await job(bench.h)).toMatchObject({ state: 'running', attempt: 1 });
    });

    test('ends a try at its time-out, whatever its worker makes of that', async () => {
      const mine = await claimed();
      for (let minutes = 0; minutes < 5; minutes += 0.25) {
        expect((await say('heartbeat', mine)).reply.data).toMatchObject({ stop: null });
        bench.h.clock.pass(0.25 * MINUTE);
      }
      expect((await say('heartbeat', mine)).reply.data).toMatchObject({ stop: 'timeout', state: 'queued' });
      expect(await job(bench.h)).toMatchObject({
        failure: 'timeout',
        error: 'stopped after 300000 ms (timeout)',
      });
      expect((await say('complete', mine)).error?.code).toBe('conflict');
    });

    test('ends a try that logs more than its runbook allows, and names the bound', async () => {
      await reopen(render({ bounds: bounds({ logLines: 3 }) }));
      const mine = await claimed('job run render');
      await say('heartbeat', { ...mine, lines: [{ line: 'a' }, { line: 'b' }] });
      const { reply } = await say('heartbeat', { ...mine, lines: [{ line: 'c' }, { line: 'd' }] });
      expect(reply.data).toMatchObject({ stop: 'bounds.logLines', state: 'failed' });
      expect(await job(bench.h)).toMatchObject({ stoppedBy: 'bounds.logLines' });
    });

    test('ends a try that logs more bytes than its runbook allows', async () => {
      await reopen(render({ bounds: bounds({ outputBytes: 1_000 }) }));
      const mine = await claimed('job run render');
      await say('heartbeat', { ...mine, lines: [{ line: 'é'.repeat(400) }, { line: 'x'.repeat(190) }] });
      const { reply } = await say('heartbeat', { ...mine, lines: [{ line: 'x'.repeat(10) }] });
      expect(reply.data).toMatchObject({ stop: 'bounds.outputBytes', state: 'failed' });
      expect(await job(bench.h)).toMatchObject({
        error: 'more than 1000 bytes of output (bounds.outputBytes)',
      });
    });

    test('progress is no output, and a line of the log once a second', async () => {
      await reopen(render({ bounds: bounds({ logLines: 3 }), tries: tries({ max: 3 }) }));
      const mine = await claimed('job run render');
      for (let percent = 0; percent < 20; percent += 1) {
        expect((await say('heartbeat', { ...mine, progress: { percent } })).reply.data).toMatchObject({
          stop: null,
        });
        bench.h.clock.pass(SECOND / 4);
      }
      expect((await job(bench.h)).progress).toEqual({ percent: 19 });
      expect(await rows(bench.h, jobLogs)).toHaveLength(5);
      await say('heartbeat', { ...mine, lines: [{ line: 'a' }, { line: 'b' }, { line: 'c' }] });
      // Each try may log as many.
      await say('fail', { ...mine, reason: 'busy', failure: 'server' });
      bench.h.clock.pass(MINUTE);
      const [again] = await items();
      const lines = [{ line: 'a' }, { line: 'b' }, { line: 'c' }];
      const next = { id: 'JOB-1', claim: again?.claim ?? '' };
      expect((await say('heartbeat', { ...next, lines })).reply.data).toMatchObject({ stop: null });
      expect((await say('heartbeat', { ...next, lines })).reply.data).toMatchObject({
        stop: 'bounds.logLines',
      });
    });

    test.each<[string, JsonObject]>([
      ['more than 500 lines', { lines: Array.from({ length: 501 }, () => ({ line: '' })) }],
      ['a line of more than 8,192 characters', { lines: [{ line: 'x'.repeat(8_193) }] }],
      ['a percentage above 100', { progress: { percent: 101 } }],
      ['an unknown stream', { lines: [{ stream: 'in', line: '' }] }],
    ])('refuses %s, and nothing of it is kept', async (_what, more) => {
      const mine = await claimed();
      expect((await say('heartbeat', { ...mine, ...more })).error?.code).toBe('invalid_argument');
      expect(await rows(bench.h, jobLogs)).toEqual([]);
    });
  });

  test('every example reads alike in its pattern and JSON form, and runs', async () => {
    for (let n = 0; n < 6; n += 1) await bench.h.run('ana', 'job run render');
    await items({ max: 6 });
    const remote = bench.h.commands.all.filter(({ needs }) => needs === 'job:work');
    expect(remote).toHaveLength(4);
    for (const { text, json } of remote.flatMap(({ examples }) => examples)) {
      const context = { now: bench.h.clock.now(), who: 'bot' };
      expect((await bench.h.language.read({ text }, context)).invocation).toEqual(json);
      expect((await bench.h.run('bot', text)).status, text).toBe('ok');
    }
  });
});
