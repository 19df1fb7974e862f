import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { voteTokens } from '../../src/domain/approval.ts';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/domain/clock.ts';
import { jobs } from '../../src/domain/job.ts';
import { enqueue } from '../../src/core/outgoing.ts';
import { confirmations, leases, linkCodes, outbox, receipts } from '../../src/domain/records.ts';
import { holdLease } from '../../src/core/leases.ts';
import type { Queue } from '../../src/core/queue.ts';
import { Sweeper } from '../../src/worker/sweep.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { approval, events, job, onSlack, outgoing, rows } from '../core/support.ts';
import { flaky, servicesOf, silent, soon } from './support.ts';

let h: Harness;
let sweeper: Sweeper;
beforeEach(async () => {
  h = await createHarness();
  sweeper = new Sweeper(servicesOf(h), 'main');
});
afterEach(() => h.close());

const request = (over = {}) =>
  h.run('ana', 'job run deploy --env staging', { correlationId: 'corr-1', ...over });

test('what the job engine lost is put back, looked for each minute', async () => {
  const queue = await h.store.transaction('main', async (tx) => tx.queue);
  const mend = vi.spyOn(Object.getPrototypeOf(queue) as Queue, 'mend').mockResolvedValue(2);
  const warn = vi.spyOn(silent, 'warn');
  await sweeper.sweep();
  h.clock.pass(MINUTE);
  await sweeper.sweep();
  expect(mend).toHaveBeenCalledTimes(1);
  expect(warn).toHaveBeenCalledWith({ jobs: 2 }, expect.stringContaining('put back'));
  h.clock.pass(1);
  await sweeper.sweep();
  expect(mend).toHaveBeenCalledTimes(2);
});

test('workers that are gone are forgotten, and no other lease is', async () => {
  const hold = (name: string, ttl: number) =>
    h.store.transaction('main', (tx) => holdLease(tx, name, 'w', ttl));
  await hold('worker:gone', SECOND);
  await hold('mailbox:x', SECOND);
  await hold('worker:alive', DAY);
  h.clock.pass(2 * SECOND);
  await sweeper.sweep();
  expect((await rows(h, leases)).map(({ id }) => id).toSorted()).toEqual(['mailbox:x', 'worker:alive']);
});

describe('a request whose time is over', () => {
  test('is denied by that: the job is cancelled, whoever asked is told, under its correlation id', async () => {
    await request(onSlack('ana'));
    await h.run('ben', 'approve APR-1');
    h.clock.pass(HOUR - 1);
    await sweeper.sweep();
    expect((await approval(h)).state).toBe('pending');
    h.clock.pass(1);
    await sweeper.sweep();
    expect([(await approval(h)).state, (await job(h)).state]).toEqual(['expired', 'cancelled']);
    expect((await outgoing(h))['job:JOB-1:answer:APR-1']).toBe('APR-1 expired: nobody decided in time.');
    const ends = (await h.entries()).slice(-2);
    expect(ends).toMatchObject([
      { event: 'approval.expired', actor: 'system', target: 'APR-1', correlationId: 'corr-1' },
      { event: 'job.cancelled', actor: 'system', target: 'JOB-1', correlationId: 'corr-1' },
    ]);
    await sweeper.sweep();
    expect(await events(h, /^approval\.expired$/)).toHaveLength(1);
  });

  test('that cannot be dropped does not hold up the others', async () => {
    await request();
    await request();
    await h.store.transaction('main', (tx) => tx.remove(jobs, { ref: 'JOB-1' }));
    h.clock.pass(HOUR);
    await sweeper.sweep();
    expect([(await approval(h)).state, (await approval(h, 'APR-2')).state]).toEqual(['pending', 'expired']);
    expect((await h.run('ben', 'approve APR-1')).error?.code).toBe('conflict');
  });

  test('and a last vote at the same time: one of them decides', async () => {
    await request();
    await h.run('ben', 'approve APR-1');
    h.clock.pass(HOUR);
    const [, vote] = await Promise.all([sweeper.sweep(), h.run('cho', 'approve APR-1')]);
    expect(vote.error?.code).toBe('conflict');
    expect((await approval(h)).state).toBe('expired');
  });
});

test('what has run out is cleared away, hourly, and nothing else', async () => {
  await sweeper.sweep();
  await h.run('ana', 'task create one', { dedupeKey: 'old' });
  await request();
  await h.run('ana', 'please open a task to water the plants');
  await h.run('', 'link', onSlack('new'));
  const count = async () =>
    Promise.all([receipts, confirmations, linkCodes, voteTokens].map(async (t) => (await rows(h, t)).length));
  expect(await count()).toEqual([1, 1, 1, 2]);
  h.clock.pass(30 * MINUTE);
  await sweeper.sweep();
  expect(await count()).toEqual([1, 1, 1, 2]);
  h.clock.pass(HOUR);
  await sweeper.sweep();
  expect(await count()).toEqual([1, 0, 0, 0]);
  h.clock.pass(30 * DAY);
  await sweeper.sweep();
  expect(await count()).toEqual([0, 0, 0, 0]);
  expect((await h.entries()).length).toBeGreaterThan(3);
});

test('however many rows have run out, one look clears them all', async () => {
  const expiresAt = new Date(h.clock.now().getTime() + HOUR);
  await h.store.transaction('main', async (tx) => {
    for (let n = 0; n < 1_201; n += 1)
      await tx.insert(receipts, { id: `r${n}`, digest: '', answer: {}, expiresAt });
    await tx.insert(receipts, { id: 'later', digest: '', answer: {}, expiresAt: new Date(8.64e15) });
  });
  h.clock.pass(HOUR + 1);
  await sweeper.sweep();
  expect((await rows(h, receipts)).map(({ id }) => id)).toEqual(['later']);
});

test('a message whose channel is off for two days is given up and told of; a younger one waits', async () => {
  const mail = (key: string) =>
    h.store.transaction('main', (tx) =>
      enqueue(tx, { key, address: { channel: 'email', to: 'a@example.test' }, reply: { text: 'news' } }),
    );
  const states = async () =>
    Object.fromEntries((await rows(h, outbox)).map(({ key, state }) => [key, state]));
  await mail('old');
  h.clock.pass(2 * DAY);
  await mail('young');
  await sweeper.sweep();
  expect(await states()).toEqual({ old: 'queued', young: 'queued' });
  h.clock.pass(2 * HOUR);
  await sweeper.sweep();
  expect(await states()).toEqual({ old: 'dead', young: 'queued' });
  const [old] = await rows(h, outbox, { where: { key: 'old' } });
  expect(old).toMatchObject({ reply: {}, error: 'its channel was off for two days' });
  expect(await events(h, /^message\.dead$/)).toMatchObject([
    { actor: 'system', target: 'old', details: { channel: 'email', lane: 'email:a@example.test' } },
  ]);
});

test('however many messages are that old, one look gives them all up', async () => {
  const address = { channel: 'email', to: 'a@example.test' } as const;
  await h.store.transaction('main', async (tx) => {
    for (let n = 0; n < 1_001; n += 1) await enqueue(tx, { key: `k${n}`, address, reply: { text: 'news' } });
  });
  h.clock.pass(3 * DAY);
  await sweeper.sweep();
  expect(await rows(h, outbox, { where: { state: 'queued' } })).toEqual([]);
});

test('it looks by itself until it is stopped, and a database that is away does not end it', async () => {
  const away = flaky(h.store);
  const own = new Sweeper(servicesOf(h, { store: away.store }), 'main');
  await request();
  h.clock.pass(HOUR);
  away.away = true;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  await own.start();
  vi.advanceTimersByTime(1_000);
  vi.useRealTimers();
  await soon(() => expect(away.refused).toBeGreaterThan(0));
  away.away = false;
  await own.sweep();
  await own.stop();
  expect((await approval(h)).state).toBe('expired');
});
