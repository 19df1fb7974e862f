import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAdmission } from '../../src/core/limits.ts';
import { MINUTE } from '../../src/domain/clock.ts';
import type { Limits } from '../../src/domain/catalog.ts';
import type { Principal } from '../../src/domain/principal.ts';
import { createHarness, type Harness } from '../support/harness.ts';
import { identity, onSlack, outgoing, rows } from './support.ts';
import { receipts } from '../../src/domain/records.ts';

const MANY = 1_000;
const limits = (over: Partial<Limits>): Limits => ({
  perSender: MANY,
  perChannel: MANY,
  perWorkspace: MANY,
  heartbeats: MANY,
  ...over,
});

describe('incoming messages', () => {
  const drops: string[] = [];
  const admission = (over: Partial<Limits>) => {
    drops.length = 0;
    return createAdmission(limits(over), (channel, scope) => drops.push(`${channel} ${scope}`));
  };
  const ana = identity('key', 'ana');
  const ben = identity('key', 'ben');

  test('are limited per sender, who is told when to come back', async () => {
    const { admit } = admission({ perSender: 2 });
    await admit('rest', ana);
    await admit('slack', ana);
    await expect(admit('rest', ana)).rejects.toMatchObject({
      code: 'rate_limited',
      message: expect.stringMatching(/^You sent more .* \(2 a minute\)\. Try again in \d+ s\.$/),
    });
    const met = await admit('rest', ana).catch((error: { retryAfter: number }) => error);
    expect((met as { retryAfter: number }).retryAfter).toBeGreaterThan(55_000);
    expect((met as { retryAfter: number }).retryAfter).toBeLessThanOrEqual(60_000);
    await admit('rest', ben);
    expect(drops).toEqual(['rest sender', 'rest sender']);
  });

  test('are limited per channel', async () => {
    const { admit } = admission({ perChannel: 2 });
    await admit('slack', ana);
    await admit('slack', ben);
    await expect(admit('slack', identity('key', 'cho'))).rejects.toThrow(/This channel/);
    await admit('rest', ana);
    expect(drops).toEqual(['slack channel']);
  });

  test('are limited per workspace, each by itself', async () => {
    const { admit } = admission({ perWorkspace: 2 });
    await admit('slack', ana);
    await admit('rest', ben);
    await expect(admit('websocket', identity('key', 'cho'))).rejects.toThrow(/This workspace/);
    await admit('rest', identity('key', 'ana', { workspace: 'other' }));
    expect(drops).toEqual(['websocket workspace']);
  });

  test('heartbeats are counted by themselves, for each sender', async () => {
    const { admit } = admission({ perSender: 1, perChannel: 1, perWorkspace: 1, heartbeats: 3 });
    await admit('rest', ana);
    for (let n = 0; n < 3; n++) await admit('rest', ana, true);
    await expect(admit('rest', ana, true)).rejects.toThrow(/more heartbeats than .* \(3 a minute\)/);
    await admit('rest', ben, true);
    expect(drops).toEqual(['rest heartbeats']);
  });

  test('of one who sends too much do not use up what others share', async () => {
    const { admit } = admission({ perSender: 1, perChannel: 3 });
    await admit('rest', ana);
    for (let n = 0; n < 20; n += 1) await expect(admit('rest', ana)).rejects.toThrow(/You sent/);
    await admit('rest', ben);
    await admit('rest', identity('key', 'cho'));
  });

  test('are let in again when the minute is over', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout'] });
    try {
      const { admit } = admission({ perSender: 1 });
      await admit('rest', ana);
      await expect(admit('rest', ana)).rejects.toThrow(/You sent/);
      vi.advanceTimersByTime(60_001);
      await admit('rest', ana);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('what stays open', () => {
  test('is bounded for each principal, whatever keys it has, until it is let go', () => {
    const drops: string[] = [];
    const { hold } = createAdmission(limits({}), (channel, scope) => drops.push(`${channel} ${scope}`), 2);
    const who = (name: string) => ({ name }) as Principal;
    const first = hold('rest', identity('key', 'one'), who('ana'));
    hold('websocket', identity('key', 'two'), who('ana'));
    const third = () => hold('websocket', identity('key', 'three'), who('ana'));
    expect(third).toThrow(/2 sockets and streams of yours are open/);
    hold('rest', identity('key', 'four'), who('ben'));
    hold('rest', identity('key', 'one', { workspace: 'other' }), who('ana'));
    first();
    first();
    third();
    expect(third).toThrow(/are open/);
    expect(drops).toEqual(['websocket open', 'websocket open']);
  });

  test('may be a thousand and more of one principal, as a fan-out is', () => {
    const { hold } = createAdmission(limits({}), () => undefined);
    const who = { name: 'ana' } as Principal;
    const open = Array.from({ length: 1_500 }, () => hold('websocket', identity('key', 'ana'), who));
    expect(open).toHaveLength(1_500);
  });
});

describe('a sender who is over the limit', () => {
  let h: Harness;
  beforeEach(async () => {
    h = await createHarness({ limits: limits({ perSender: 1 }) });
  });
  afterEach(() => h.close());

  test('where the answer is read at once gets it each time, and the journal is not flooded', async () => {
    await h.run('ana', 'status');
    const before = (await h.entries()).length;
    for (let n = 0; n < 50; n += 1)
      expect((await h.run('ana', 'task create x', { dedupeKey: `k${n}` })).error).toMatchObject({
        code: 'rate_limited',
        retryAfter: expect.any(Number),
      });
    expect(await h.entries()).toHaveLength(before);
    expect(await rows(h, receipts)).toEqual([]);
    expect(h.limited).toHaveLength(50);
    expect(await outgoing(h)).toEqual({});
  });

  test('elsewhere is told once a minute', async () => {
    const say = () => h.run('', 'status', onSlack('ana'));
    await say();
    const explained = async () =>
      Object.entries(await outgoing(h)).filter(([key]) => key.startsWith('limited:slack:T1/UANA:'));
    for (let n = 0; n < 5; n += 1) await say();
    expect(await explained()).toMatchObject([[expect.any(String), expect.stringContaining('Try again in')]]);
    h.clock.pass(MINUTE);
    await say();
    await say();
    expect(await explained()).toHaveLength(2);
  });
});
