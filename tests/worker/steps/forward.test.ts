import { afterEach, describe, expect, test } from 'vitest';
import { probeStates } from '../../../src/domain/probe.ts';
import { effects } from '../../../src/domain/records.ts';
import { SECOND } from '../../../src/domain/clock.ts';
import type { Runbook } from '../../../src/domain/runbook.ts';
import { events, rows } from '../../core/support.ts';
import { broken, busy, calls, done, inner, release, step, world, type World } from './world.ts';

let w: World;
afterEach(() => w.close());
const run = (text = 'job run release --service api') => w.h.run('ben', text);

describe('steps', () => {
  test('run in order under one claim, each with what the ones before it returned', async () => {
    w = await world(
      release([
        step('build', { service: '${args.service}', tag: 'v-${args.service}' }),
        step('deploy', {
          image: '${steps.build.image}',
          size: '${steps.build.meta.size}',
          all: '${steps.build}',
        }),
      ]),
    );
    const built = { image: 'api:7', meta: { size: 12 } };
    w.answer('build', done(built));
    w.worker();
    await run();
    const job = await w.state('succeeded');
    expect(w.calls).toMatchObject([
      { runbook: 'build', args: { service: 'api', tag: 'v-api' }, attempt: 1 },
      { runbook: 'deploy', args: { image: 'api:7', size: 12, all: built }, attempt: 1 },
    ]);
    expect(job).toMatchObject({ attempt: 1, fence: 1, phase: 'forward' });
    expect(job.result).toMatchObject({
      steps: [
        { step: 'build', state: 'done', tries: 1 },
        { step: 'deploy', state: 'done', tries: 1 },
      ],
      output: {},
    });
    const told = (await events(w.h, /^job\./)).map(({ event, details }) => [event, details['step']]);
    expect(told).toEqual([
      ['job.queued', undefined],
      ['job.assigned', undefined],
      ['job.started', undefined],
      ['job.step_started', 'build'],
      ['job.step_done', 'build'],
      ['job.step_started', 'deploy'],
      ['job.step_done', 'deploy'],
      ['job.succeeded', undefined],
    ]);
  });

  test('have keys of 64 hex digits of their own, and a receipt each under that key', async () => {
    w = await world(release([step('build'), step('deploy')]));
    w.worker();
    await run();
    await w.state('succeeded');
    const keys = w.calls.map((call) => call.idempotencyKey);
    expect(new Set(keys).size).toBe(2);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(await rows(w.h, effects, { orderBy: [{ column: 'id' }] })).toMatchObject([
      { job: 'JOB-1', step: 'build', attempt: 1, outboundKey: keys[0] },
      { job: 'JOB-1', step: 'deploy', attempt: 1, outboundKey: keys[1] },
    ]);
  });

  test('are tried again on their own, with the same key, no worker held meanwhile', async () => {
    w = await world(release([step('build'), step('deploy')]));
    w.answer('deploy', busy);
    const worker = w.worker();
    await run();
    const paused = await w.state('queued');
    expect(paused).toMatchObject({
      attempt: 0,
      leaseOwner: null,
      runAt: new Date(w.h.clock.now().getTime() + SECOND),
    });
    expect((await w.rows()).map((row) => [row.name, row.state, row.error])).toEqual([
      ['build', 'done', null],
      ['deploy', 'queued', 'busy'],
    ]);
    w.h.clock.pass(SECOND);
    worker.wake();
    expect(await w.state('succeeded')).toMatchObject({ attempt: 1 });
    expect(w.ran()).toEqual(['build', 'deploy', 'deploy']);
    const [, first, second] = w.calls;
    expect(second).toMatchObject({ attempt: 2, idempotencyKey: first?.idempotencyKey });
    expect(
      (await rows(w.h, effects, { orderBy: [{ column: 'id' }] })).map((row) => [row.step, row.attempt]),
    ).toEqual([
      ['build', 1],
      ['deploy', 1],
      ['deploy', 2],
    ]);
  });

  test('whose executor throws are tried again as well', async () => {
    w = await world(release([step('build')]));
    w.answer('build', new Error('a bug'));
    const worker = w.worker();
    await run();
    await w.state('queued');
    w.h.clock.pass(SECOND);
    worker.wake();
    expect(await w.state('succeeded')).toMatchObject({ attempt: 1 });
  });

  test('whose arguments cannot be filled, or do not fit then, fail before anything runs', async () => {
    const args: Runbook['args'] = { type: 'object', properties: { n: { type: 'integer' } } };
    w = await world(
      release([
        step('build'),
        { name: 'deploy', ...calls('deploy', { n: '${steps.build.n}' }, { args }), compensate: undefined },
      ]),
    );
    w.answer('build', done({}), done({ n: 'many' }));
    w.worker();
    await run();
    expect((await w.state('failed')).error).toBe('deploy: ${steps.build.n} has no value.');
    await run();
    expect((await w.state('failed', 'JOB-2')).error).toMatch(/^deploy: n: must be integer/);
    expect(w.ran()).toEqual(['build', 'unbuild', 'build', 'unbuild']);
  });
});

describe('what was approved is what runs', () => {
  const approval = { quorum: 1, roles: ['approver'], persons: [], timeout: 60 * SECOND };
  const change = (to: Runbook) => (w.h.catalog.runbooks as Map<string, Runbook>).set('release', to);

  test('a runbook of a step that is changed after the approval voids it', async () => {
    w = await world(release([step('build')], { approval }));
    await w.h.run('ana', 'job run release');
    change(
      release(
        [{ name: 'build', runbook: inner('build', { timeout: 1 }), args: {}, compensate: calls('unbuild') }],
        { approval },
      ),
    );
    const answer = await w.h.run('cho', 'approve APR-1');
    expect(answer.reply.text).toContain('was changed since JOB-1 was asked for');
    expect((await w.state('cancelled')).plan).toBeNull();
  });

  test('one that is changed once steps have run changes nothing any more', async () => {
    w = await world(release([step('build'), step('deploy')], { approval }));
    w.answer('deploy', busy);
    const worker = w.worker();
    await w.h.run('ana', 'job run release');
    await w.h.run('cho', 'approve APR-1');
    await w.state('queued');
    change(release([step('other')], { approval }));
    w.answer('deploy', broken);
    w.h.clock.pass(SECOND);
    worker.wake();
    await w.state('failed');
    expect(w.ran()).toEqual(['build', 'deploy', 'deploy', 'unbuild']);
  });
});

describe('a probe as a step', () => {
  const probe = inner('smoke', { executor: { kind: 'probe', probe: 'api' }, args: { type: 'object' } });
  const look = { name: 'look', runbook: probe, args: {}, compensate: undefined };

  test('fails where the answer is not as expected, after its tries', async () => {
    w = await world(release([step('build'), look]));
    const bad = done({ state: 'failed', failures: ['status: expected 200, got 500'] });
    w.answer('smoke', bad, bad);
    const worker = w.worker();
    await run();
    await w.state('queued');
    expect(await rows(w.h, probeStates)).toMatchObject([{ id: 'api', state: 'failed' }]);
    w.h.clock.pass(SECOND);
    worker.wake();
    expect((await w.state('failed')).error).toContain('look: status: expected 200, got 500');
    expect(w.ran()).toEqual(['build', 'smoke', 'smoke', 'unbuild']);
  });

  test('is done where it is', async () => {
    w = await world(release([look]));
    w.answer('smoke', done({ state: 'ok', failures: [] }));
    w.worker();
    await run();
    await w.state('succeeded');
    expect(await rows(w.h, probeStates)).toMatchObject([{ id: 'api', state: 'ok' }]);
  });
});

test('whoever asks needs the permission of each step, too', async () => {
  w = await world(release([step('build', {}, { permission: 'secret:build' })]));
  const answer = await run();
  expect(answer.error?.code).toBe('forbidden');
  expect(answer.reply.text).toContain('secret:build');
  expect((await w.h.run('ana', 'job run release')).status).toBe('ok');
});
