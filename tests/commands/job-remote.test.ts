import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { claim } from '../../src/core/jobs/claiming.ts';
import { artifacts } from '../../src/domain/artifact.ts';
import { MINUTE, SECOND } from '../../src/domain/clock.ts';
import { jobLogs } from '../../src/domain/job.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { deadLetters, effects } from '../../src/domain/records.ts';
import type { Runbook } from '../../src/domain/runbook.ts';
import { events, identity, job, onSlack, rows } from '../core/support.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { bounds, testRunbook } from '../support/runbook.ts';
import { controlled, jobWorker, now, soon } from '../worker/support.ts';

const render = (over: Partial<Runbook> = {}): Runbook =>
  testRunbook({
    name: 'render',
    args: { type: 'object', properties: { scene: { type: 'string' } }, additionalProperties: false },
    timeout: 5 * MINUTE,
    capability: 'gpu',
    executor: { kind: 'remote' },
    ...over,
  });

let h: Harness;
const open = async (...runbooks: readonly Runbook[]) => {
  h = await createHarness({ runbooks: new Map(runbooks.map((book) => [book.name, book])) });
};
beforeEach(() =>
  open(render(), render({ name: 'bake', permission: 'secret:bake' }), testRunbook({ name: 'restart' })),
);
afterEach(() => h.close());

const say = (command: string, args: JsonObject, who = 'bot') =>
  h.run(who, { command: `job.${command}`, args });
const items = async (args: JsonObject = {}, who = 'bot') => {
  const { reply } = await say('claim', { capabilities: ['gpu'], ...args }, who);
  return (reply.data as unknown as { items: { id: string; claim: string }[] }).items;
};
/** Claims the only job there is. */
const claimed = async (text = 'job run render --scene "a b"') => {
  await h.run('ana', text);
  const [first] = await items();
  return { id: first?.id ?? '', claim: first?.claim ?? '' };
};
const state = async (ref = 'JOB-1') => (await job(h, ref)).state;

describe('job claim', () => {
  test('hands out what a program needs to run it, once', async () => {
    await h.run('ana', 'job run render --scene "a b"');
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
    expect(await job(h)).toMatchObject({ state: 'running', leaseOwner: 'remote:bot', attempt: 1 });
    expect((await events(h, /^job\./)).map((e) => e.event)).toEqual([
      'job.queued',
      'job.assigned',
      'job.started',
    ]);
  });

  test('a look that finds nothing writes nothing', async () => {
    const before = (await h.entries()).length;
    expect((await say('claim', { capabilities: ['gpu'] })).reply.text).toBe('No job is due.');
    expect(await h.entries()).toHaveLength(before);
  });

  test('tells when the next will be due', async () => {
    await h.run('ana', 'job run render --in 5m');
    expect((await say('claim', { capabilities: ['gpu'] })).reply.data).toEqual({
      items: [],
      nextAt: '2026-03-02T09:05:00.000Z',
    });
  });

  test('takes the most urgent first, as many as are asked for and as there is room for', async () => {
    await h.close();
    await open(render({ bounds: bounds({ concurrency: 2 }) }));
    for (const priority of [0, 9, 5]) await h.run('ana', `job run render --priority ${priority}`);
    expect((await items({ max: 5 })).map(({ id }) => id)).toEqual(['JOB-2', 'JOB-3']);
    expect(await items()).toEqual([]);
  });

  test('gives out nothing that is not remote, and workers here take nothing that is', async () => {
    await h.close();
    await open(render(), testRunbook({ name: 'local', capability: 'gpu' }));
    await h.run('ana', 'job run render');
    await h.run('ana', 'job run local');
    const here = controlled();
    const worker = jobWorker(h, here.execute, { capabilities: ['gpu'] });
    worker.start();
    expect((await here.nth(1)).cause).toBe('JOB-2');
    expect((await items({ max: 5 })).map(({ id }) => id)).toEqual(['JOB-1']);
    await worker.stop(now());
    expect(here.tries).toHaveLength(1);
  });

  test('takes the permission of the runbook: what the program may not run stays where it is', async () => {
    await h.run('ana', 'job run bake');
    await h.run('ana', 'job run render');
    expect((await items({ max: 5 })).map(({ id }) => id)).toEqual(['JOB-2']);
    expect(await state('JOB-1')).toBe('queued');
  });

  test('is for programs and people that may work', async () => {
    expect((await say('claim', { capabilities: ['gpu'] }, 'vic')).error?.code).toBe('forbidden');
    await h.close();
    await open(render({ permission: 'secret:render' }));
    const answer = await say('claim', { capabilities: ['gpu'] });
    expect(answer.error?.code).toBe('forbidden');
    expect(answer.reply.text).toContain('secret:render');
  });

  test('is not for a webhook’s sender, whatever its rules name', async () => {
    await h.close();
    const rule = {
      name: 'work',
      when: 'true',
      command: 'job.claim',
      args: { runbook: "'render'" },
      as: undefined,
    };
    const hook = { signatureHeader: undefined, deliveryHeader: undefined, secrets: [], rules: [rule] };
    h = await createHarness({
      runbooks: new Map([['render', render()]]),
      sources: new Map([['ci', { name: 'ci', kind: 'github', ...hook }]]),
    });
    const body = { command: 'job.claim', args: { capabilities: ['gpu'] } };
    const answer = await h.run('', body, { channel: 'webhook', from: identity('source', 'ci') });
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
    const { store } = h;
    await h.run('ana', 'job run render --scene x');
    const changed = render({ args: { type: 'object', properties: {}, additionalProperties: false } });
    (h.catalog.runbooks as Map<string, Runbook>).set('render', changed);
    expect(await items()).toEqual([]);
    expect(await job(h)).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('--scene is no argument'),
    });
    expect(await store.transaction('main', (tx) => tx.find(deadLetters))).toMatchObject([{ stage: 'start' }]);
  });
});

describe('job heartbeat', () => {
  test('keeps the claim, and carries progress and log lines without an entry in the journal', async () => {
    const mine = await claimed();
    const before = (await h.entries()).length;
    h.clock.pass(20 * SECOND);
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
    expect((await job(h)).progress).toEqual({ percent: 40, text: 'frame 96' });
    expect((await rows(h, jobLogs)).filter((l) => l.stream !== 'progress')).toMatchObject([
      { stream: 'out', line: 'one' },
      { stream: 'err', line: 'two' },
    ]);
    expect(await h.entries()).toHaveLength(before);
  });

  test('tells of a cancel; the worker stops and says so', async () => {
    const mine = await claimed();
    await h.run('ana', 'job cancel JOB-1');
    expect((await say('heartbeat', mine)).reply.data).toMatchObject({
      stop: 'cancelled',
      cancelRequested: true,
    });
    const ended = await say('fail', { ...mine, reason: 'stopped as asked' });
    expect(ended.reply.data).toMatchObject({ state: 'cancelled' });
  });

  test('ends a try at its time-out, whatever its worker makes of that', async () => {
    const mine = await claimed();
    for (let minutes = 0; minutes < 5; minutes += 0.25) {
      expect((await say('heartbeat', mine)).reply.data).toMatchObject({ stop: null });
      h.clock.pass(0.25 * MINUTE);
    }
    expect((await say('heartbeat', mine)).reply.data).toMatchObject({ stop: 'timeout', state: 'queued' });
    expect(await job(h)).toMatchObject({ failure: 'timeout', error: 'stopped after 300000 ms (timeout)' });
    expect((await say('complete', mine)).error?.code).toBe('conflict');
  });

  test('ends a try that logs more than its runbook allows, and names the bound', async () => {
    await h.close();
    await open(render({ bounds: bounds({ logLines: 3 }) }));
    const mine = await claimed('job run render');
    await say('heartbeat', { ...mine, lines: [{ line: 'a' }, { line: 'b' }] });
    const { reply } = await say('heartbeat', { ...mine, lines: [{ line: 'c' }, { line: 'd' }] });
    expect(reply.data).toMatchObject({ stop: 'bounds.logLines', state: 'failed' });
    expect(await job(h)).toMatchObject({ stoppedBy: 'bounds.logLines' });
  });

  test.each<[string, JsonObject]>([
    ['more than 500 lines', { lines: Array.from({ length: 501 }, () => ({ line: '' })) }],
    ['a line of more than 8,192 characters', { lines: [{ line: 'x'.repeat(8_193) }] }],
    ['a percentage above 100', { progress: { percent: 101 } }],
    ['an unknown stream', { lines: [{ stream: 'in', line: '' }] }],
  ])('refuses %s, and nothing of it is kept', async (_what, more) => {
    const mine = await claimed();
    expect((await say('heartbeat', { ...mine, ...more })).error?.code).toBe('invalid_argument');
    expect(await rows(h, jobLogs)).toEqual([]);
  });
});

describe('a claim that is over', () => {
  test('lost by its time, and somebody else’s by now', async () => {
    const lost = await claimed();
    h.clock.pass(31 * SECOND);
    const [again] = await items();
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
    await h.run('ana', 'job run restart');
    const here = controlled();
    const worker = jobWorker(h, here.execute);
    worker.start();
    await here.nth(1);
    expect((await say('complete', { id: 'JOB-1', claim: '1' })).error?.code).toBe('conflict');
    await worker.stop(now());
  });

  test('its worker gone: the job goes on elsewhere, and fails when no try is left', async () => {
    await claimed();
    const worker = jobWorker(h, controlled().execute);
    h.clock.pass(31 * SECOND);
    worker.start();
    await soon(async () => expect(await state()).toBe('queued'));
    await items();
    h.clock.pass(31 * SECOND);
    worker.wake();
    await soon(async () => expect(await state()).toBe('failed'));
    await worker.stop(now());
    expect(await job(h)).toMatchObject({ failure: 'lost', stoppedBy: 'tries.max' });
  });
});

test('a look for work takes back what other workers lost, probes too', async () => {
  await h.run('ana', 'probe run api');
  const wanted = { capabilities: ['default'], limit: 1, room: new Map<string, number>() };
  await h.store.transaction('main', (tx) => claim(tx, { owner: 'gone', begin: true }, wanted));
  h.clock.pass(31 * SECOND);
  await items();
  expect(await job(h)).toMatchObject({ state: 'failed', failure: 'lost', stoppedBy: 'tries.max' });
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
    await h.run('', 'job run render', { ...onSlack('ana') });
    const [mine] = await items();
    h.clock.pass(SECOND);
    const { reply } = await say('complete', { id: 'JOB-1', claim: mine?.claim ?? '', ...content });
    expect(reply).toMatchObject({
      text: 'JOB-1 is succeeded.',
      data: { state: 'succeeded', result: { frames: 240 } },
    });
    expect(await job(h)).toMatchObject({ usage: { units: { gpu_minutes: 3.5 }, cost: 120_000 } });
    expect((await rows(h, artifacts)).map(({ name, kind, size }) => [name, kind, size])).toEqual([
      ['notes.md', 'text', 8],
      ['a.bin', 'file', 2],
    ]);
    expect(await rows(h, effects)).toMatchObject([
      { job: 'JOB-1', kind: 'remote', target: 'bot', outcome: 'done', attempt: 1 },
    ]);
    const [entry] = (await events(h, /accepted/)).filter(({ target }) => target === 'job.complete');
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
    expect(await events(h, /^job\.succeeded$/)).toHaveLength(1);
    expect(await rows(h, effects)).toHaveLength(1);
  });

  test('after a cancel that its worker has obeyed is refused; before, what was done is done', async () => {
    const mine = await claimed();
    await h.run('ana', 'job cancel JOB-1');
    await say('fail', { ...mine, reason: 'stopped' });
    expect((await say('complete', mine)).error?.code).toBe('conflict');
    expect(await state()).toBe('cancelled');
    await h.run('ana', 'job run render');
    const [next] = await items();
    await h.run('ana', 'job cancel JOB-2');
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
    expect(await rows(h, effects)).toMatchObject([{ kind: 'remote', outcome: failure }]);
  });

  test('twice gets the first answer again', async () => {
    const mine = await claimed();
    const first = await say('fail', { ...mine, reason: 'no', failure: 'server' });
    expect((await say('fail', { ...mine, reason: 'no', failure: 'server' })).reply).toEqual(first.reply);
    expect(await events(h, /^job\.retrying$/)).toHaveLength(1);
  });
});

test('every example reads alike in its pattern and JSON form, and runs', async () => {
  for (let n = 0; n < 6; n += 1) await h.run('ana', 'job run render');
  await items({ max: 6 });
  const remote = h.commands.all.filter(({ needs }) => needs === 'job:work');
  expect(remote).toHaveLength(4);
  for (const { text, json } of remote.flatMap(({ examples }) => examples)) {
    const context = { now: h.clock.now(), who: 'bot' };
    expect((await h.language.read({ text }, context)).invocation).toEqual(json);
    expect((await h.run('bot', text)).status, text).toBe('ok');
  }
});
