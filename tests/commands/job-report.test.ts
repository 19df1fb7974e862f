import { describe, expect, test } from 'vitest';
import { claim } from '../../src/core/jobs/claiming.ts';
import { artifacts } from '../../src/domain/artifact.ts';
import { MINUTE, SECOND } from '../../src/domain/clock.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { effects } from '../../src/domain/records.ts';
import { events, job, onSlack, rows } from '../core/support.ts';
import { DATABASES } from '../support/databases.ts';
import { tries } from '../support/runbook.ts';
import { controlled, jobWorker, now, soon } from '../worker/support.ts';
import { remoteBench, render } from './remote.ts';

describe.each(DATABASES)('on %s', (_database, create) => {
  const bench = remoteBench(create);
  const { say, items, claimed, state, reopen } = bench;
  describe('a claim that is over', () => {
    test('lost by its time, and somebody else’s by now', async () => {
      const lost = await claimed();
      const [again] = await bench.lost();
      expect(again).toMatchObject({ id: 'JOB-1', claim: '2', attempt: 2 });
      for (const said of ['heartbeat', 'complete'] as const) {
        const answer = await say(said, lost);
        expect(answer.error?.code).toBe('conflict');
        expect(answer.reply.text).toBe(
          'This claim of JOB-1 was lost, and the job is running: stop working on it.',
        );
      }
      expect((await say('fail', { ...lost, reason: 'late' })).error?.code).toBe('conflict');
      expect((await say('complete', { id: 'JOB-1', claim: '2' })).reply.data).toMatchObject({
        state: 'succeeded',
      });
    });

    test('is not another worker’s to use', async () => {
      const mine = await claimed();
      expect((await say('complete', mine, 'ben')).error?.code).toBe('conflict');
      expect((await say('complete', { ...mine, claim: '7' })).error?.code).toBe('conflict');
      expect((await say('complete', { ...mine, id: 'JOB-9' })).error?.code).toBe('not_found');
      expect(await state()).toBe('running');
    });

    test('a job that runs here is nobody’s elsewhere', async () => {
      await bench.h.run('ana', 'job run restart');
      const here = controlled();
      const worker = jobWorker(bench.h, here.execute);
      worker.start();
      await here.nth(1);
      expect((await say('complete', { id: 'JOB-1', claim: '1' })).error?.code).toBe('conflict');
      await worker.stop(now());
    });

    test('its worker gone: the job goes on elsewhere, and fails when no try is left', async () => {
      await claimed();
      const worker = jobWorker(bench.h, controlled().execute);
      bench.h.clock.pass(31 * SECOND);
      worker.start();
      await soon(async () => expect(await state()).toBe('queued'));
      await items();
      bench.h.clock.pass(31 * SECOND);
      worker.wake();
      await soon(async () => expect(await state()).toBe('failed'));
      await worker.stop(now());
      expect(await job(bench.h)).toMatchObject({ failure: 'lost', stoppedBy: 'tries.max' });
    });
  });

  test('a look for work takes back what other workers lost, probes too', async () => {
    await bench.h.run('ana', 'probe run api');
    const wanted = { capabilities: ['default'], limit: 1, room: new Map<string, number>() };
    await bench.h.store.transaction('main', (tx) => claim(tx, { owner: 'gone', begin: true }, wanted));
    await bench.lost();
    expect(await job(bench.h)).toMatchObject({ state: 'failed', failure: 'lost', stoppedBy: 'tries.max' });
  });

  describe('what comes too late', () => {
    const late = { result: { paid: true }, usage: { tokens: 5, cost: '7.5' } };

    test('ends nothing, and leaves its receipt and what was used, once', async () => {
      const mine = await claimed();
      await bench.lost();
      for (let n = 0; n < 2; n += 1) {
        const answer = await say('complete', { ...mine, ...late });
        expect(answer.error?.code).toBe('conflict');
        expect(answer.reply.text).toContain('This claim of JOB-1 was lost, and the job is running');
      }
      expect(await job(bench.h)).toMatchObject({
        state: 'running',
        usage: { units: { tokens: 5 }, cost: 7_500_000 },
      });
      expect(await rows(bench.h, effects)).toMatchObject([
        { job: 'JOB-1', attempt: 1, outcome: 'done, too late' },
      ]);
      expect((await say('fail', { ...mine, reason: 'no' })).reply.text).toContain(
        'ended before, and otherwise',
      );
      expect((await say('complete', { id: 'JOB-1', claim: '2' })).status).toBe('ok');
    });

    test('of somebody whose claim it never was leaves nothing', async () => {
      await claimed();
      for (const token of ['1', '2']) {
        const answer = await say(
          'complete',
          { id: 'JOB-1', claim: token, ...late },
          token === '1' ? 'ben' : 'bot',
        );
        expect(answer.error?.code).toBe('conflict');
      }
      expect(await rows(bench.h, effects)).toEqual([]);
      expect((await job(bench.h)).usage).toBeNull();
    });

    test('after its time-out: the try ends by that, whatever its worker says, and what was used counts', async () => {
      await reopen(render({ timeout: MINUTE, tries: tries({ max: 2 }) }));
      const mine = await claimed();
      for (let n = 0; n < 2; n += 1) {
        bench.h.clock.pass(29 * SECOND);
        await say('heartbeat', mine);
      }
      bench.h.clock.pass(29 * SECOND);
      for (let n = 0; n < 2; n += 1) {
        const answer = await say('complete', { ...mine, ...late });
        expect(answer.error?.code).toBe('conflict');
        expect(answer.reply.text).toBe(
          'JOB-1 was stopped after 60000 ms (timeout), and is queued: nothing else was changed.',
        );
      }
      expect(await job(bench.h)).toMatchObject({
        failure: 'timeout',
        usage: { cost: 7_500_000 },
        result: null,
      });
      expect(await rows(bench.h, effects)).toMatchObject([{ outcome: 'timeout' }]);
    });
  });

  describe('job complete', () => {
    const content: JsonObject = {
      result: { frames: 240 },
      usage: { gpu_minutes: 3.5, cost: '0.12' },
      artifacts: [
        { name: 'notes.md', content: '# No\n\tes', mediaType: 'text/markdown' },
        { name: 'a.bin', kind: 'file', content: 'AP8=' },
      ],
    };

    test('ends the job with its result, usage, artifacts and a receipt', async () => {
      await bench.h.run('', 'job run render', { ...onSlack('ana') });
      const [mine] = await items();
      bench.h.clock.pass(SECOND);
      const { reply } = await say('complete', { id: 'JOB-1', claim: mine?.claim ?? '', ...content });
      expect(reply).toMatchObject({
        text: 'JOB-1 is succeeded.',
        data: { state: 'succeeded', result: { frames: 240 } },
      });
      expect(await job(bench.h)).toMatchObject({ usage: { units: { gpu_minutes: 3.5 }, cost: 120_000 } });
      expect((await rows(bench.h, artifacts)).map(({ name, kind, size }) => [name, kind, size])).toEqual([
        ['notes.md', 'text', 8],
        ['a.bin', 'file', 2],
      ]);
      expect(await rows(bench.h, effects)).toMatchObject([
        { job: 'JOB-1', kind: 'remote', target: 'bot', outcome: 'done', attempt: 1 },
      ]);
      const [entry] = (await events(bench.h, /accepted/)).filter(({ target }) => target === 'job.complete');
      expect(entry?.details).toMatchObject({ args: { result: { size: 14, sha256: expect.any(String) } } });
    });

    test('twice with the same words gets the first answer again; with others it is refused', async () => {
      const mine = await claimed();
      const first = await say('complete', { ...mine, ...content });
      const second = await say('complete', { ...mine, ...content });
      expect(second.reply).toEqual(first.reply);
      for (const other of [say('complete', mine), say('fail', { ...mine, reason: 'no' })]) {
        const answer = await other;
        expect(answer.error?.code).toBe('conflict');
        expect(answer.reply.text).toContain('was ended before, and otherwise');
      }
      expect(await events(bench.h, /^job\.succeeded$/)).toHaveLength(1);
      expect(await rows(bench.h, effects)).toHaveLength(1);
    });

    test('after a cancel that its worker has obeyed is refused; before, what was done is done', async () => {
      const mine = await claimed();
      await bench.h.run('ana', 'job cancel JOB-1');
      await say('fail', { ...mine, reason: 'stopped' });
      expect((await say('complete', mine)).error?.code).toBe('conflict');
      expect(await state()).toBe('cancelled');
      await bench.h.run('ana', 'job run render');
      const [next] = await items();
      await bench.h.run('ana', 'job cancel JOB-2');
      expect((await say('complete', { id: 'JOB-2', claim: next?.claim ?? '' })).status).toBe('ok');
      expect(await state('JOB-2')).toBe('succeeded');
    });

    test.each<[string, JsonObject, string]>([
      ['a result that is too large', { result: { all: 'x'.repeat(70_000) } }, 'too_large'],
      ['a result with NUL', { result: { a: 'b\0' } }, 'invalid_argument'],
      ['usage below nothing', { usage: { tokens: -1 } }, 'invalid_argument'],
      [
        'an artifact that is no base64',
        { artifacts: [{ name: 'a', kind: 'file', content: '%' }] },
        'invalid_argument',
      ],
      [
        'an artifact that is too large',
        { artifacts: [{ name: 'a', content: 'x'.repeat(1_000_001) }] },
        'too_large',
      ],
      [
        'more than 20 artifacts',
        { artifacts: Array.from({ length: 21 }, () => ({ name: 'a', content: '' })) },
        'invalid_argument',
      ],
    ])('%s is refused, and can be mended', async (_what, more, code) => {
      const mine = await claimed();
      expect((await say('complete', { ...mine, ...more })).error?.code).toBe(code);
      expect(await state()).toBe('running');
      expect((await say('complete', mine)).status).toBe('ok');
    });
  });

  describe('job fail', () => {
    test.each([
      [{}, 'failed', 'refused'],
      [{ failure: 'server' }, 'queued', 'server'],
      [{ failure: 'server', retry: false }, 'failed', 'server'],
      [{ retry: true }, 'queued', 'refused'],
    ] as const)('%j: %s', async (more, expected, failure) => {
      const mine = await claimed();
      const { reply } = await say('fail', { ...mine, reason: 'the scene does not load', ...more });
      expect(reply.data).toMatchObject({ state: expected, error: 'the scene does not load', failure });
      expect(await rows(bench.h, effects)).toMatchObject([{ kind: 'remote', outcome: failure }]);
    });

    test.each(['lost', 'unexpected'])('%s is not for a worker to say', async (failure) => {
      const mine = await claimed();
      const answer = await say('fail', { ...mine, reason: 'x', failure });
      expect(answer.error?.code).toBe('invalid_argument');
      expect(await state()).toBe('running');
    });

    test('twice gets the first answer again', async () => {
      const mine = await claimed();
      const first = await say('fail', { ...mine, reason: 'no', failure: 'server' });
      expect((await say('fail', { ...mine, reason: 'no', failure: 'server' })).reply).toEqual(first.reply);
      expect(await events(bench.h, /^job\.retrying$/)).toHaveLength(1);
    });
  });
});
