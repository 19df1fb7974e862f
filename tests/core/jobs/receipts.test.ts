import { afterEach, beforeEach, expect, test } from 'vitest';
import { claim, LEASE } from '../../../src/core/jobs/claiming.ts';
import type { Effect } from '../../../src/domain/effect.ts';
import { digest } from '../../../src/domain/json.ts';
import { effects } from '../../../src/domain/records.ts';
import { createHarness, type Harness } from '../../support/harness.ts';
import { controlled, jobWorker, now, soon } from '../../worker/support.ts';
import { job, rows } from '../support.ts';

let h: Harness;
beforeEach(async () => {
  h = await createHarness();
});
afterEach(() => h.close());

const effect = (over: Partial<Effect> = {}): Effect => ({
  kind: 'http',
  target: 'https://api.example.test/deploys',
  outcome: '201',
  result: { b: 1, a: 2 },
  startedAt: h.clock.now(),
  endedAt: h.clock.now(),
  ...over,
});
const kept = () => rows(h, effects, { orderBy: [{ column: 'id' }] });

test('every effect of every try is kept with its end, under both keys', async () => {
  const { execute, nth } = controlled();
  const worker = jobWorker(h, execute, { random: () => 0 });
  worker.start();
  await h.run('ben', 'job run restart', { dedupeKey: 'rest:k1' });
  const first = await nth(1);
  first.effect(effect({ outcome: '503' }));
  first.end({ kind: 'retry', failure: 'server', reason: '503' });
  const second = await nth(2);
  second.effect(effect());
  second.effect(effect({ kind: 'shell', target: 'deploy', outcome: 'exit 0' }));
  second.end({ kind: 'done', result: {} });
  await soon(async () => expect((await job(h)).state).toBe('succeeded'));
  await worker.stop(now());
  const key = first.idempotencyKey;
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(second.idempotencyKey).toBe(key);
  expect(await kept()).toMatchObject([
    { job: 'JOB-1', attempt: 1, outcome: '503', inboundKey: 'rest:k1', outboundKey: key, step: null },
    { job: 'JOB-1', attempt: 2, outcome: '201', digest: digest({ a: 2, b: 1 }) },
    { job: 'JOB-1', attempt: 2, kind: 'shell', target: 'deploy' },
  ]);
  const shown = await h.run('vic', 'job effects JOB-1');
  expect(shown.reply.text.split('\n')[0]).toBe('try 1 · http https://api.example.test/deploys · 503');
  expect(shown.reply.data).toMatchObject({ items: [{ outboundKey: key }, {}, {}], next: null });
  expect((await h.run('ben', 'job effects JOB-9')).error?.code).toBe('not_found');
});

test('the key is the same after a retry by hand, and another one for another job', async () => {
  const { execute, nth } = controlled();
  const worker = jobWorker(h, execute);
  worker.start();
  await h.run('ben', 'job run restart');
  const first = await nth(1);
  first.end({ kind: 'fail', reason: 'no' });
  await soon(async () => expect((await job(h)).state).toBe('failed'));
  await h.run('ben', 'job retry JOB-1');
  const again = await nth(2);
  await h.run('ben', 'job run restart');
  const other = await nth(3);
  expect(again.idempotencyKey).toBe(first.idempotencyKey);
  expect(other.idempotencyKey).not.toBe(first.idempotencyKey);
  await worker.stop(now());
});

test('what was done under a claim that was lost is kept all the same', async () => {
  const { execute, nth } = controlled(false);
  const worker = jobWorker(h, execute);
  worker.start();
  await h.run('ben', 'job run restart');
  const first = await nth(1);
  h.clock.pass(LEASE + 1);
  const other = controlled();
  const two = jobWorker(h, other.execute, { owner: 'w2' });
  two.start();
  await other.nth(1);
  first.effect(effect({ outcome: '201' }));
  first.end({ kind: 'done', result: {} });
  await soon(async () => expect(await kept()).toMatchObject([{ attempt: 1, outcome: '201' }]));
  expect(await job(h)).toMatchObject({ state: 'running', attempt: 2 });
  await worker.stop(now());
  await two.stop(now());
});

test('nobody changes or deletes one', async () => {
  await h.run('ben', 'job run restart');
  const { execute, nth } = controlled();
  const worker = jobWorker(h, execute);
  worker.start();
  const first = await nth(1);
  first.effect(effect());
  first.end({ kind: 'done', result: {} });
  await soon(async () => expect(await kept()).toHaveLength(1));
  await worker.stop(now());
  const [row] = await kept();
  if (!row) throw new Error('no receipt');
  await expect(
    h.store.transaction('main', (tx) => tx.update(effects, row, { outcome: '500' })),
  ).rejects.toThrow('immutable');
  await expect(h.store.transaction('main', (tx) => tx.remove(effects, { id: row.id }))).rejects.toThrow(
    'immutable',
  );
  expect(await kept()).toEqual([row]);
});

test('a claim of nothing takes nothing', async () => {
  const none = { capabilities: ['default'], limit: 0, room: new Map() };
  await h.run('ben', 'job run restart');
  expect(await h.store.transaction('main', (tx) => claim(tx, { owner: 'w1' }, none))).toEqual([]);
});
